// The ops of driver.mjs that need no party: keys, key derivation, framing, fingerprints, usernames, retry messages.
//   genKey → privateKey, publicKey    sign privateKey, message → signature    verify publicKey, message, signature → valid
//   agree privateKey, publicKey → secret    hkdf key, info, salt?, length → output    kemGen → publicKey, secretKey
//   gcmSivEncrypt / gcmSivDecrypt key, nonce, message, aad → output
//   signalMessage version, macKey, ratchetKey, counter, previousCounter, ciphertext, senderIdentity, receiverIdentity,
//                 pqRatchet → message
//   senderKeyMessage distributionId, chainId, iteration, ciphertext, privateKey → message
//   fingerprint iterations, version, localId, localKey, remoteId, remoteKey → display, scannable
//   compareScannable left, right → equal
//   usernameHash username → hash    usernameLink username, entropy? → entropy, encryptedUsername
//   usernameFromLink entropy, encryptedUsername → username
import * as S from '@signalapp/libsignal-client';

const bytes = (base64) => Buffer.from(base64, 'base64');
const b64 = (binary) => Buffer.from(binary).toString('base64');
const publicKey = (base64) => S.PublicKey.deserialize(bytes(base64));
const privateKey = (base64) => S.PrivateKey.deserialize(bytes(base64));

export const primitives = {
  decryptionError: (request) => ({
    message: b64(S.DecryptionErrorMessage.forOriginal(
      bytes(request.ciphertext), request.type, request.timestamp, request.device).serialize()),
  }),

  parseDecryptionError(request) {
    const message = S.DecryptionErrorMessage.deserialize(bytes(request.message));
    const ratchetKey = message.ratchetKey();
    return {
      timestamp: message.timestamp(),
      device: message.deviceId(),
      ratchetKey: ratchetKey ? b64(ratchetKey.serialize()) : undefined,
    };
  },

  plaintextContent: (request) => ({
    content: b64(S.PlaintextContent.from(S.DecryptionErrorMessage.deserialize(bytes(request.message))).serialize()),
  }),

  parsePlaintextContent: (request) => ({
    message: b64(S.DecryptionErrorMessage.extractFromSerializedBody(
      S.PlaintextContent.deserialize(bytes(request.content)).body()).serialize()),
  }),

  genKey() {
    const key = S.PrivateKey.generate();
    return { privateKey: b64(key.serialize()), publicKey: b64(key.getPublicKey().serialize()) };
  },

  sign: (request) => ({ signature: b64(privateKey(request.privateKey).sign(bytes(request.message))) }),

  verify: (request) => ({
    valid: publicKey(request.publicKey).verify(bytes(request.message), bytes(request.signature)),
  }),

  agree: (request) => ({ secret: b64(privateKey(request.privateKey).agree(publicKey(request.publicKey))) }),

  hkdf: (request) => ({
    output: b64(S.hkdf(
      request.length, bytes(request.key), bytes(request.info), request.salt ? bytes(request.salt) : null)),
  }),

  kemGen() {
    const pair = S.KEMKeyPair.generate();
    return { publicKey: b64(pair.getPublicKey().serialize()), secretKey: b64(pair.getSecretKey().serialize()) };
  },

  gcmSivEncrypt: (request) => ({
    output: b64(S.Aes256GcmSiv.new(bytes(request.key)).encrypt(
      bytes(request.message), bytes(request.nonce), bytes(request.aad))),
  }),

  gcmSivDecrypt: (request) => ({
    output: b64(S.Aes256GcmSiv.new(bytes(request.key)).decrypt(
      bytes(request.message), bytes(request.nonce), bytes(request.aad))),
  }),

  signalMessage: (request) => ({
    message: b64(S.SignalMessage._new(
      request.version, bytes(request.macKey), publicKey(request.ratchetKey), request.counter,
      request.previousCounter, bytes(request.ciphertext), publicKey(request.senderIdentity),
      publicKey(request.receiverIdentity), bytes(request.pqRatchet)).serialize()),
  }),

  senderKeyMessage: (request) => ({
    message: b64(S.SenderKeyMessage._new(
      3, request.distributionId, request.chainId, request.iteration, bytes(request.ciphertext),
      privateKey(request.privateKey)).serialize()),
  }),

  fingerprint(request) {
    const fingerprint = S.Fingerprint.new(
      request.iterations, request.version, bytes(request.localId), publicKey(request.localKey),
      bytes(request.remoteId), publicKey(request.remoteKey));
    return {
      display: fingerprint.displayableFingerprint().toString(),
      scannable: b64(fingerprint.scannableFingerprint().toBuffer()),
    };
  },

  compareScannable: (request) => ({
    equal: S.ScannableFingerprint._fromBuffer(bytes(request.left)).compare(
      S.ScannableFingerprint._fromBuffer(bytes(request.right))),
  }),

  usernameHash: (request) => ({ hash: b64(S.usernames.hash(request.username)) }),

  usernameLink(request) {
    const link = S.usernames.createUsernameLink(
      request.username, request.entropy ? bytes(request.entropy) : undefined);
    return { entropy: b64(link.entropy), encryptedUsername: b64(link.encryptedUsername) };
  },

  usernameFromLink: (request) => ({
    username: S.usernames.decryptUsernameLink({
      entropy: bytes(request.entropy), encryptedUsername: bytes(request.encryptedUsername),
    }),
  }),
};
