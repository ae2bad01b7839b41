// Measures the official Signal client through its Node binding: the rows of SecureChat.Signal.Bench, done alike, with
// stores that serialise at every step. Prints one JSON object: versions, and by row the quartiles of microseconds per
// operation. With an argument the row of that name alone.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import * as S from '../../tests/libsignal-peer/node_modules/@signalapp/libsignal-client/dist/index.js';
import { Party } from '../../tests/libsignal-peer/stores.mjs';

const warmUps = 15;
const batches = 21;
const now = 1_800_000_000_000;
const date = new Date(now);
const plaintext = new Uint8Array(1024);

class Device extends Party {
  #next = 2;

  constructor(identity = S.IdentityKeyPair.generate()) {
    super(randomUUID(), 1);
    this.install(identity, 4711);
    this.signed = S.PrivateKey.generate();
    const key = this.signed.getPublicKey();
    this.signature = identity.privateKey.sign(key.serialize());
    this.signedPreKeys.records.put(1, S.SignedPreKeyRecord.new(1, now, key, this.signed, this.signature));
  }

  // A bundle with one-time keys of its own.
  bundle() {
    const id = this.#next++;
    const { pair } = this.identities;
    const oneTime = S.PrivateKey.generate();
    const kyber = S.KEMKeyPair.generate();
    const signature = pair.privateKey.sign(kyber.getPublicKey().serialize());
    this.preKeys.records.put(id, S.PreKeyRecord.new(id, oneTime.getPublicKey(), oneTime));
    this.kyberPreKeys.records.put(id, S.KyberPreKeyRecord.new(id, now, kyber, signature));
    return S.PreKeyBundle.new(
      4711, 1, id, oneTime.getPublicKey(), 1, this.signed.getPublicKey(), this.signature, pair.publicKey,
      id, kyber.getPublicKey(), signature);
  }

  async start(remote, bundle, text) {
    await S.processPreKeyBundle(bundle, remote, this.address, this.sessions, this.identities, date);
    return this.encrypt(remote, text);
  }

  async encrypt(remote, text) {
    const message = await S.signalEncrypt(text, remote, this.address, this.sessions, this.identities, date);
    return message.serialize();
  }

  accept(remote, message) {
    return S.signalDecryptPreKey(
      S.PreKeySignalMessage.deserialize(message), remote, this.address, this.sessions, this.identities,
      this.preKeys, this.signedPreKeys, this.kyberPreKeys);
  }

  decrypt(remote, message) {
    return S.signalDecrypt(
      S.SignalMessage.deserialize(message), remote, this.address, this.sessions, this.identities);
  }

  // A session in which both sides have answered.
  async meet(other) {
    await other.accept(this.address, await this.start(other.address, other.bundle(), Uint8Array.of(1)));
    await this.decrypt(other.address, await other.encrypt(this.address, Uint8Array.of(2)));
  }
}

const only = process.argv[2];
const results = {};

// The quartiles over batches of the mean within each; what `prepare` does is not counted.
async function row(name, count, run, prepare = () => undefined) {
  if (only && only !== name) return;
  const samples = [];
  for (let batch = -warmUps; batch < batches; batch++) {
    const prepared = await prepare();
    const start = process.hrtime.bigint();
    await run(prepared, count);
    const elapsed = Number(process.hrtime.bigint() - start);
    if (batch >= 0) samples.push(elapsed / count / 1000);
  }
  samples.sort((a, b) => a - b);
  results[name] = [1, 2, 3].map((quarter) => samples[Math.round(quarter * (batches - 1) / 4)]);
}

const times = async (count, make) => {
  const made = [];
  for (let i = 0; i < count; i++) made.push(await make(i));
  return made;
};

async function pair() {
  const [alice, bob] = [new Device(), new Device()];
  await alice.meet(bob);
  return [alice, bob];
}

async function sessionRows() {
  let [alice, bob] = await pair();

  await row('Start', 48, async (others) => {
    for (const { device, bundle } of others) await alice.start(device.address, bundle, plaintext);
  }, () => times(48, () => {
    const device = new Device(bob.identities.pair);
    return { device, bundle: device.bundle() };
  }));

  await row('Accept', 48, async (others) => {
    for (const { device, message } of others) await bob.accept(device.address, message);
  }, () => {
    const identity = S.IdentityKeyPair.generate();
    return times(48, async () => {
      const device = new Device(identity);
      return { device, message: await device.start(bob.address, bob.bundle(), plaintext) };
    });
  });

  await row('Encrypt', 2048, async (_, count) => {
    for (let i = 0; i < count; i++) await alice.encrypt(bob.address, plaintext);
  });

  // Nothing of the row above has arrived: a fresh pair, or the keys of what is missing would burden every step.
  [alice, bob] = await pair();
  await row('Decrypt', 2048, async (messages) => {
    for (const message of messages) await bob.decrypt(alice.address, message);
  }, () => times(2048, () => alice.encrypt(bob.address, plaintext)));

  await row('Turn', 256, async (_, count) => {
    for (let i = 0; i < count; i += 2) {
      await bob.decrypt(alice.address, await alice.encrypt(bob.address, plaintext));
      await alice.decrypt(bob.address, await bob.encrypt(alice.address, plaintext));
    }
  });
}

async function sealedRows() {
  const alice = new Device();
  const recipients = await times(6, async () => {
    const device = new Device();
    await alice.meet(device);
    return device;
  });
  const [bob] = recipients;
  const [root, key] = [S.PrivateKey.generate(), S.PrivateKey.generate()];
  const server = S.ServerCertificate.new(1, key.getPublicKey(), root);
  const certificate = S.SenderCertificate.new(
    alice.address.name(), null, 1, alice.identities.pair.publicKey, now + 1000, server, key);
  const message = await S.signalEncrypt(plaintext, bob.address, alice.address, alice.sessions, alice.identities, date);
  const content = S.UnidentifiedSenderMessageContent.new(message, certificate, 0, null);
  const sealMulti = (count) => S.sealedSenderMultiRecipientEncrypt({
    content,
    recipients: recipients.slice(0, count).map((device) => device.address),
    identityStore: alice.identities,
    sessionStore: alice.sessions,
  });
  const open = async (envelope, count) => {
    for (let i = 0; i < count; i++) {
      const opened = await S.sealedSenderDecryptToUsmc(envelope, bob.identities);
      if (!opened.senderCertificate().validate(root.getPublicKey(), now)) throw new Error('certificate refused');
    }
  };

  const sealedV1 = await S.sealedSenderEncrypt(content, bob.address, alice.identities);
  const sealedV2 = S.sealedSenderMultiRecipientMessageForSingleRecipient(await sealMulti(1));
  await row('SealV1', 256, async (_, count) => {
    for (let i = 0; i < count; i++) await S.sealedSenderEncrypt(content, bob.address, alice.identities);
  });
  await row('OpenV1', 256, (_, count) => open(sealedV1, count));
  for (const recipientCount of [1, 6]) {
    await row(`SealV2For${recipientCount}`, 256, async (_, count) => {
      for (let i = 0; i < count; i++) await sealMulti(recipientCount);
    });
  }
  await row('OpenV2', 256, (_, count) => open(sealedV2, count));
}

async function groupRows() {
  const [alice, bob] = [new Device(), new Device()];
  const distribution = randomUUID();
  const encrypt = async () =>
    (await S.groupEncrypt(alice.address, distribution, alice.senderKeys, plaintext)).serialize();

  await S.SenderKeyDistributionMessage.create(alice.address, distribution, alice.senderKeys);
  await row('GroupEncrypt', 512, async (_, count) => {
    for (let i = 0; i < count; i++) await encrypt();
  });

  // The key is given out only now: what was encrypted before is never to arrive.
  const key = await S.SenderKeyDistributionMessage.create(alice.address, distribution, alice.senderKeys);
  await S.processSenderKeyDistributionMessage(alice.address, key, bob.senderKeys);
  await row('GroupDecrypt', 512, async (messages) => {
    for (const message of messages) await S.groupDecrypt(alice.address, bob.senderKeys, message);
  }, () => times(512, encrypt));
}

async function keyRows() {
  const key = S.PrivateKey.generate();
  const publicKey = key.getPublicKey();
  const message = publicKey.serialize();
  const signature = key.sign(message);
  const id = new Uint8Array(16);
  await row('SafetyNumber', 16, (_, count) => {
    for (let i = 0; i < count; i++) {
      const fingerprint = S.Fingerprint.new(5200, 2, id, publicKey, id, publicKey);
      fingerprint.displayableFingerprint().toString();
      fingerprint.scannableFingerprint().toBuffer();
    }
  });
  await row('Sign', 2048, (_, count) => {
    for (let i = 0; i < count; i++) key.sign(message);
  });
  await row('Verify', 2048, (_, count) => {
    for (let i = 0; i < count; i++) if (!publicKey.verify(message, signature)) throw new Error('signature refused');
  });
}

await sessionRows();
await sealedRows();
await groupRows();
await keyRows();
const { version } = createRequire(import.meta.url)(
  '../../tests/libsignal-peer/node_modules/@signalapp/libsignal-client/package.json');
console.log(JSON.stringify({ client: version, node: process.version, rows: results }));
