// Drives the official Signal client, unmodified, as a peer in tests. Test-only; nothing here ships.
//
// One JSON object per line in, one per line out, answered in order:
//   {"seq":1,"op":"party","name":"<account uuid>","device":1}
//   {"seq":1,"ok":true,…}  or  {"seq":1,"ok":false,"error":"text","code":N,"log":["libsignal's own warning lines"]}
// Binary is base64 (marked `b64` below), keys and messages are in libsignal's serialised form, times are Unix
// milliseconds, `?` marks what may be left out. `remote` is {name, device}; any number of parties lives in one process.
//
// PARTIES AND SESSIONS
//   party          name, device, registrationId?, identityPrivateKey?(b64) → party, identityKey, registrationId
//   newIdentity    party, registrationId?                  reinstall: all stores emptied → identityKey, registrationId
//   rename         party, name, device                     a server gave it these after its keys were made
//   dropParty      party
//   prekeys        party, oneTime?=0, kyberOneTime?=0, firstId?=1 (ids count up from it in each kind) →
//                    identityKey, registrationId, signedPreKey{id,publicKey,signature},
//                    lastResortKyber{id,publicKey,signature}, oneTimeKeys[{id,publicKey}],
//                    kyberOneTimeKeys[{id,publicKey,signature}]
//   processBundle  party, remote, bundle{registrationId, identityKey, preKeyId?, preKey?, signedPreKeyId, signedPreKey,
//                    signedPreKeySignature, kyberPreKeyId, kyberPreKey, kyberPreKeySignature}, now?
//   encrypt        party, remote, plaintext, now?          → type (2 message, 3 prekey message), ciphertext,
//                                                            registrationId (of the remote, as the session knows it)
//   decrypt        party, remote, type, ciphertext         → plaintext
//   hasSession     party, remote                           → exists, current, registrationId?
//   archiveSession party, remote      deleteSession  party, remote → deleted
//   trust          party, remote, identityKey              accepts this identity key from now on
//   sessionRecord  party, remote                           → record   setSessionRecord party, remote, record
//   exportParty    party → identityPrivateKey, identityKey, registrationId, preKeys[], signedPreKeys[], kyberPreKeys[]
//                                                            each {id, record}: what a recorded transcript needs
// SEALED SENDER
//   serverCert     keyId, key, trustRootPrivate            → certificate
//   senderCert     uuid, e164?, device, identityKey, expires, serverCert, serverPrivate → certificate
//   validateCert   certificate, trustRoots[], now          → valid, and what the certificate says
//   sealedEncrypt  party, remote, plaintext, senderCert    session message in a v1 envelope → ciphertext
//   sealUsmc       party, remote, content, senderCert, hint?=0, groupId?   v1 → ciphertext
//   sealMulti      party, recipients[remote], excluded?[service id string], content, senderCert, hint?, groupId?
//                                                          v2 → message (as sent to a server)
//                    content is {distributionId, plaintext} (encrypted with the party's sender key),
//                    {remote, plaintext} (with its session) or {plaintextContent}
//   splitMulti     message                                 for a message with one recipient → ciphertext
//   sealedDecrypt  party, ciphertext, trustRoot, now, e164? → plaintext, senderUuid, senderE164?, senderDevice
//   sealedToUsmc   party, ciphertext → type, content, senderCert, senderUuid, senderDevice, hint, groupId?
// GROUPS
//   skdmCreate     party, distributionId                   → message
//   skdmProcess    party, remote, message
//   groupEncrypt   party, distributionId, plaintext        → ciphertext
//   groupDecrypt   party, remote, ciphertext               → plaintext
// RETRIES
//   decryptionError  ciphertext, type, timestamp, device   → message
//   parseDecryptionError message                           → timestamp, device, ratchetKey?
//   plaintextContent message                               → content (type 8)
//   parsePlaintextContent content                          → message
// PRIMITIVES are listed in primitives.mjs, CONTENTS in content.mjs.
import { randomInt } from 'node:crypto';
import { createInterface } from 'node:readline';
import * as S from '@signalapp/libsignal-client';
import { contents } from './content.mjs';
import { primitives } from './primitives.mjs';
import { Party } from './stores.mjs';

const bytes = (base64) => Buffer.from(base64, 'base64');
const b64 = (binary) => Buffer.from(binary).toString('base64');
const remoteOf = (request) => S.ProtocolAddress.new(request.remote.name, request.remote.device);
const publicKey = (base64) => S.PublicKey.deserialize(bytes(base64));
const privateKey = (base64) => S.PrivateKey.deserialize(bytes(base64));
const newRegistrationId = () => randomInt(1, 0x4000);

const parties = new Map();
let nextParty = 1;

const party = (request) => {
  const found = parties.get(request.party);
  if (found === undefined) throw new Error(`no party ${request.party}`);
  return found;
};

const install = (it, request) => {
  const key = request.identityPrivateKey ? privateKey(request.identityPrivateKey) : S.PrivateKey.generate();
  it.install(new S.IdentityKeyPair(key.getPublicKey(), key), request.registrationId ?? newRegistrationId());
  return {
    identityKey: b64(key.getPublicKey().serialize()),
    registrationId: it.identities.registrationId,
  };
};

const parseCiphertext = (type, content) => {
  switch (type) {
    case S.CiphertextMessageType.Whisper: return S.SignalMessage.deserialize(content);
    case S.CiphertextMessageType.PreKey: return S.PreKeySignalMessage.deserialize(content);
    case S.CiphertextMessageType.SenderKey: return S.SenderKeyMessage.deserialize(content);
    case S.CiphertextMessageType.Plaintext: return S.PlaintextContent.deserialize(content);
    default: throw new Error(`unknown ciphertext type ${type}`);
  }
};

// What a sealed message carries is encrypted here, because the client only seals ciphertexts of its own making.
const contentOf = (it, content) => {
  if (content.distributionId !== undefined) {
    return S.groupEncrypt(it.address, content.distributionId, it.senderKeys, bytes(content.plaintext));
  }
  if (content.remote !== undefined) {
    return S.signalEncrypt(bytes(content.plaintext), remoteOf(content), it.address, it.sessions, it.identities);
  }
  return S.CiphertextMessage.from(S.PlaintextContent.deserialize(bytes(content.plaintextContent)));
};

const usmcOf = async (it, request) => S.UnidentifiedSenderMessageContent.new(
  await contentOf(it, request.content),
  S.SenderCertificate.deserialize(bytes(request.senderCert)),
  request.hint ?? 0,
  request.groupId ? bytes(request.groupId) : null);

const signed = (identity, key) => identity.sign(key.serialize());

const sessions = {
  party(request) {
    const it = new Party(request.name, request.device);
    const installed = install(it, request);
    const id = nextParty++;
    parties.set(id, it);
    return { party: id, ...installed };
  },

  newIdentity: (request) => install(party(request), request),

  rename(request) {
    party(request).address = S.ProtocolAddress.new(request.name, request.device);
    return {};
  },

  dropParty(request) {
    parties.delete(request.party);
    return {};
  },

  async prekeys(request) {
    const it = party(request);
    const identity = it.identities.pair.privateKey;
    const first = request.firstId ?? 1;
    const now = Date.now();
    const saveKyber = async (id) => {
      const pair = S.KEMKeyPair.generate();
      const signature = signed(identity, pair.getPublicKey());
      await it.kyberPreKeys.saveKyberPreKey(id, S.KyberPreKeyRecord.new(id, now, pair, signature));
      return { id, publicKey: b64(pair.getPublicKey().serialize()), signature: b64(signature) };
    };

    const signedKey = S.PrivateKey.generate();
    const signature = signed(identity, signedKey.getPublicKey());
    await it.signedPreKeys.saveSignedPreKey(
      first, S.SignedPreKeyRecord.new(first, now, signedKey.getPublicKey(), signedKey, signature));
    const lastResortKyber = await saveKyber(first);
    it.kyberPreKeys.lastResort.add(first);

    const oneTimeKeys = [];
    for (let i = 0; i < (request.oneTime ?? 0); i++) {
      const key = S.PrivateKey.generate();
      await it.preKeys.savePreKey(first + i, S.PreKeyRecord.new(first + i, key.getPublicKey(), key));
      oneTimeKeys.push({ id: first + i, publicKey: b64(key.getPublicKey().serialize()) });
    }

    const kyberOneTimeKeys = [];
    for (let i = 1; i <= (request.kyberOneTime ?? 0); i++) kyberOneTimeKeys.push(await saveKyber(first + i));

    return {
      identityKey: b64(it.identities.pair.publicKey.serialize()),
      registrationId: it.identities.registrationId,
      signedPreKey: { id: first, publicKey: b64(signedKey.getPublicKey().serialize()), signature: b64(signature) },
      lastResortKyber,
      oneTimeKeys,
      kyberOneTimeKeys,
    };
  },

  async processBundle(request) {
    const it = party(request);
    const b = request.bundle;
    const bundle = S.PreKeyBundle.new(
      b.registrationId, request.remote.device,
      b.preKeyId ?? null, b.preKey ? publicKey(b.preKey) : null,
      b.signedPreKeyId, publicKey(b.signedPreKey), bytes(b.signedPreKeySignature),
      publicKey(b.identityKey),
      b.kyberPreKeyId, S.KEMPublicKey.deserialize(bytes(b.kyberPreKey)), bytes(b.kyberPreKeySignature));
    await S.processPreKeyBundle(
      bundle, remoteOf(request), it.address, it.sessions, it.identities, new Date(request.now ?? Date.now()));
    return {};
  },

  async encrypt(request) {
    const it = party(request);
    const message = await S.signalEncrypt(
      bytes(request.plaintext), remoteOf(request), it.address, it.sessions, it.identities,
      new Date(request.now ?? Date.now()));
    const session = await it.sessions.getSession(remoteOf(request));
    return {
      type: message.type(),
      ciphertext: b64(message.serialize()),
      registrationId: session.remoteRegistrationId(),
    };
  },

  async decrypt(request) {
    const it = party(request);
    const message = parseCiphertext(request.type, bytes(request.ciphertext));
    const plaintext = request.type === S.CiphertextMessageType.PreKey
      ? await S.signalDecryptPreKey(
        message, remoteOf(request), it.address, it.sessions, it.identities,
        it.preKeys, it.signedPreKeys, it.kyberPreKeys)
      : await S.signalDecrypt(message, remoteOf(request), it.address, it.sessions, it.identities);
    return { plaintext: b64(plaintext) };
  },

  async hasSession(request) {
    const session = await party(request).sessions.getSession(remoteOf(request));
    return session === null
      ? { exists: false, current: false }
      : { exists: true, current: session.hasCurrentState(), registrationId: session.remoteRegistrationId() };
  },

  async archiveSession(request) {
    const { sessions: store } = party(request);
    const session = await store.getSession(remoteOf(request));
    session.archiveCurrentState();
    await store.saveSession(remoteOf(request), session);
    return {};
  },

  deleteSession: (request) => ({ deleted: party(request).sessions.delete(remoteOf(request)) }),

  async trust(request) {
    await party(request).identities.saveIdentity(remoteOf(request), publicKey(request.identityKey));
    return {};
  },

  sessionRecord(request) {
    const record = party(request).sessions.raw(remoteOf(request));
    if (record === undefined) throw new Error('no session');
    return { record: b64(record) };
  },

  setSessionRecord(request) {
    party(request).sessions.replace(remoteOf(request), bytes(request.record));
    return {};
  },

  exportParty(request) {
    const it = party(request);
    const list = (store) => store.records.entries().map(({ id, record }) => ({ id, record: b64(record) }));
    return {
      identityPrivateKey: b64(it.identities.pair.privateKey.serialize()),
      identityKey: b64(it.identities.pair.publicKey.serialize()),
      registrationId: it.identities.registrationId,
      preKeys: list(it.preKeys),
      signedPreKeys: list(it.signedPreKeys),
      kyberPreKeys: list(it.kyberPreKeys),
    };
  },
};

const sealed = {
  serverCert: (request) => ({
    certificate: b64(S.ServerCertificate.new(
      request.keyId, publicKey(request.key), privateKey(request.trustRootPrivate)).serialize()),
  }),

  senderCert: (request) => ({
    certificate: b64(S.SenderCertificate.new(
      request.uuid, request.e164 ?? null, request.device, publicKey(request.identityKey), request.expires,
      S.ServerCertificate.deserialize(bytes(request.serverCert)), privateKey(request.serverPrivate)).serialize()),
  }),

  validateCert(request) {
    const certificate = S.SenderCertificate.deserialize(bytes(request.certificate));
    return {
      valid: certificate.validateWithTrustRoots(request.trustRoots.map(publicKey), request.now),
      uuid: certificate.senderUuid(),
      e164: certificate.senderE164(),
      device: certificate.senderDeviceId(),
      expires: certificate.expiration(),
      identityKey: b64(certificate.key().serialize()),
      serverKeyId: certificate.serverCertificate().keyId(),
    };
  },

  async sealedEncrypt(request) {
    const it = party(request);
    const certificate = S.SenderCertificate.deserialize(bytes(request.senderCert));
    return {
      ciphertext: b64(await S.sealedSenderEncryptMessage(
        bytes(request.plaintext), remoteOf(request), certificate, it.sessions, it.identities)),
    };
  },

  async sealUsmc(request) {
    const it = party(request);
    return { ciphertext: b64(await S.sealedSenderEncrypt(await usmcOf(it, request), remoteOf(request), it.identities)) };
  },

  async sealMulti(request) {
    const it = party(request);
    const message = await S.sealedSenderMultiRecipientEncrypt({
      content: await usmcOf(it, request),
      recipients: request.recipients.map((r) => S.ProtocolAddress.new(r.name, r.device)),
      excludedRecipients: (request.excluded ?? []).map((id) => S.ServiceId.parseFromServiceIdString(id)),
      identityStore: it.identities,
      sessionStore: it.sessions,
    });
    return { message: b64(message) };
  },

  splitMulti: (request) => ({
    ciphertext: b64(S.sealedSenderMultiRecipientMessageForSingleRecipient(bytes(request.message))),
  }),

  async sealedDecrypt(request) {
    const it = party(request);
    const result = await S.sealedSenderDecryptMessage(
      bytes(request.ciphertext), publicKey(request.trustRoot), request.now, request.e164 ?? null,
      it.address.name(), it.address.deviceId(), it.sessions, it.identities,
      it.preKeys, it.signedPreKeys, it.kyberPreKeys);
    return {
      plaintext: b64(result.message()),
      senderUuid: result.senderUuid(),
      senderE164: result.senderE164(),
      senderDevice: result.deviceId(),
    };
  },

  async sealedToUsmc(request) {
    const usmc = await S.sealedSenderDecryptToUsmc(bytes(request.ciphertext), party(request).identities);
    const certificate = usmc.senderCertificate();
    const groupId = usmc.groupId();
    return {
      type: usmc.msgType(),
      content: b64(usmc.contents()),
      senderCert: b64(certificate.serialize()),
      senderUuid: certificate.senderUuid(),
      senderDevice: certificate.senderDeviceId(),
      hint: usmc.contentHint(),
      groupId: groupId === null ? undefined : b64(groupId),
    };
  },
};

const groups = {
  async skdmCreate(request) {
    const it = party(request);
    const message = await S.SenderKeyDistributionMessage.create(it.address, request.distributionId, it.senderKeys);
    return { message: b64(message.serialize()) };
  },

  async skdmProcess(request) {
    await S.processSenderKeyDistributionMessage(
      remoteOf(request), S.SenderKeyDistributionMessage.deserialize(bytes(request.message)), party(request).senderKeys);
    return {};
  },

  async groupEncrypt(request) {
    const it = party(request);
    const message = await S.groupEncrypt(it.address, request.distributionId, it.senderKeys, bytes(request.plaintext));
    return { ciphertext: b64(message.serialize()) };
  },

  async groupDecrypt(request) {
    const it = party(request);
    return { plaintext: b64(await S.groupDecrypt(remoteOf(request), it.senderKeys, bytes(request.ciphertext))) };
  },
};

const ops = { ...sessions, ...sealed, ...groups, ...primitives, ...contents };

let log = [];
S.initLogger(S.LogLevel.Warn, (_level, _target, _file, _line, message) => {
  log.push(message);
  if (log.length > 50) log.shift();
});

const answer = async (line) => {
  let seq = null;
  try {
    const request = JSON.parse(line);
    seq = request.seq;
    if (!Object.hasOwn(ops, request.op)) throw new Error(`unknown op ${request.op}`);
    log = [];
    return { seq, ok: true, ...await ops[request.op](request) };
  } catch (error) {
    // libsignal hands its log lines over through the event loop: give them one turn to arrive.
    await new Promise((resolve) => { setImmediate(resolve); });
    return { seq, ok: false, error: String(error?.message ?? error), code: error?.code, log };
  }
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  if (line.length > 0) process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
}
