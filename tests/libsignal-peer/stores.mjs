// One official client device: the stores that libsignal asks for, kept in memory as serialised bytes, so that every
// step goes through "serialise, forget, load again" as it would in an application with a database.
import * as S from '@signalapp/libsignal-client';

const keyOf = (address) => `${address.name()}.${address.deviceId()}`;

class Sessions extends S.SessionStore {
  #records = new Map();

  async saveSession(address, record) {
    this.#records.set(keyOf(address), record.serialize());
  }

  async getSession(address) {
    const bytes = this.#records.get(keyOf(address));
    return bytes === undefined ? null : S.SessionRecord.deserialize(bytes);
  }

  async getExistingSessions(addresses) {
    return addresses.map((address) => {
      const bytes = this.#records.get(keyOf(address));
      if (bytes === undefined) throw new Error(`no session with ${keyOf(address)}`);
      return S.SessionRecord.deserialize(bytes);
    });
  }

  raw(address) {
    return this.#records.get(keyOf(address));
  }

  replace(address, bytes) {
    this.#records.set(keyOf(address), bytes);
  }

  delete(address) {
    return this.#records.delete(keyOf(address));
  }
}

// Trust on first use: a key that differs from the known one is refused until the driver is told to trust it.
class Identities extends S.IdentityKeyStore {
  #known = new Map();

  constructor(pair, registrationId) {
    super();
    this.pair = pair;
    this.registrationId = registrationId;
  }

  async getIdentityKey() {
    return this.pair.privateKey;
  }

  async getIdentityKeyPair() {
    return this.pair;
  }

  async getLocalRegistrationId() {
    return this.registrationId;
  }

  async saveIdentity(address, key) {
    const before = this.#known.get(keyOf(address));
    const now = Buffer.from(key.serialize());
    this.#known.set(keyOf(address), now);
    return before === undefined || before.equals(now)
      ? S.IdentityChange.NewOrUnchanged
      : S.IdentityChange.ReplacedExisting;
  }

  async isTrustedIdentity(address, key) {
    const known = this.#known.get(keyOf(address));
    return known === undefined || known.equals(Buffer.from(key.serialize()));
  }

  async getIdentity(address) {
    const bytes = this.#known.get(keyOf(address));
    return bytes === undefined ? null : S.PublicKey.deserialize(bytes);
  }
}

class Records {
  #bytes = new Map();

  put(id, record) {
    this.#bytes.set(id, record.serialize());
  }

  get(id, type, what) {
    const bytes = this.#bytes.get(id);
    if (bytes === undefined) throw new Error(`no ${what} ${id}`);
    return type.deserialize(bytes);
  }

  delete(id) {
    this.#bytes.delete(id);
  }

  entries() {
    return [...this.#bytes].map(([id, bytes]) => ({ id, record: Buffer.from(bytes) }));
  }
}

class PreKeys extends S.PreKeyStore {
  records = new Records();

  async savePreKey(id, record) {
    this.records.put(id, record);
  }

  async getPreKey(id) {
    return this.records.get(id, S.PreKeyRecord, 'one-time prekey');
  }

  async removePreKey(id) {
    this.records.delete(id);
  }
}

class SignedPreKeys extends S.SignedPreKeyStore {
  records = new Records();

  async saveSignedPreKey(id, record) {
    this.records.put(id, record);
  }

  async getSignedPreKey(id) {
    return this.records.get(id, S.SignedPreKeyRecord, 'signed prekey');
  }
}

// A one-time Kyber key is deleted at its first use. The last-resort key stays, and refuses a base key that it has seen.
class KyberPreKeys extends S.KyberPreKeyStore {
  records = new Records();
  lastResort = new Set();
  #seen = new Set();

  async saveKyberPreKey(id, record) {
    this.records.put(id, record);
  }

  async getKyberPreKey(id) {
    return this.records.get(id, S.KyberPreKeyRecord, 'Kyber prekey');
  }

  async markKyberPreKeyUsed(id, signedPreKeyId, baseKey) {
    if (!this.lastResort.has(id)) {
      this.records.delete(id);
      return;
    }
    const use = `${id}/${signedPreKeyId}/${Buffer.from(baseKey.serialize()).toString('base64')}`;
    if (this.#seen.has(use)) throw new Error('base key used twice with the last-resort Kyber prekey');
    this.#seen.add(use);
  }
}

class SenderKeys extends S.SenderKeyStore {
  #records = new Map();

  async saveSenderKey(sender, distributionId, record) {
    this.#records.set(`${keyOf(sender)}/${distributionId}`, record.serialize());
  }

  async getSenderKey(sender, distributionId) {
    const bytes = this.#records.get(`${keyOf(sender)}/${distributionId}`);
    return bytes === undefined ? null : S.SenderKeyRecord.deserialize(bytes);
  }
}

export class Party {
  constructor(name, device) {
    this.address = S.ProtocolAddress.new(name, device);
  }

  // A new install: nothing of the old one is left.
  install(identityKeyPair, registrationId) {
    this.identities = new Identities(identityKeyPair, registrationId);
    this.sessions = new Sessions();
    this.preKeys = new PreKeys();
    this.signedPreKeys = new SignedPreKeys();
    this.kyberPreKeys = new KyberPreKeys();
    this.senderKeys = new SenderKeys();
  }
}
