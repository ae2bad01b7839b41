// Prints a registration body with fresh keys, for trying the API by hand: node new-device.mjs CHALLENGE CODE
import * as S from '@signalapp/libsignal-client';
import { randomInt } from 'node:crypto';

const b64 = (binary) => Buffer.from(binary).toString('base64');
const [challenge, code] = process.argv.slice(2);
const identity = S.IdentityKeyPair.generate();
const sign = (keyId, key) => ({
  keyId, key: b64(key.serialize()), signature: b64(identity.privateKey.sign(key.serialize())),
});

process.stdout.write(JSON.stringify({
  challenge,
  code,
  identityKey: b64(identity.publicKey.serialize()),
  device: {
    registrationId: randomInt(1, 0x4000),
    signedPreKey: sign(1, S.PrivateKey.generate().getPublicKey()),
    lastResortKey: sign(1, S.KEMKeyPair.generate().getPublicKey()),
  },
}));
