// The ops of driver.mjs that make and read what stands inside a message, from its documentation alone: the schema is
// content.proto, the rest is docs/protocol/content.md. Nothing of ours has a part in it, so that what two sides agree on is
// what the documentation says.
//   encodeContent content → padded          content in the JSON mapping of protobuf
//   decodeContent padded → content, again   again: what it reads, coded and padded anew; neither: not to be read
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const sizes = [256, 512, 1024, 2048, 4096, 16384, 65536, 90112];
const schema = fileURLToPath(new URL('../../src/SecureChat.Protocol/Proto/content.proto', import.meta.url));
const Content = protobuf.loadSync(schema).lookupType('securechat.v1.Content');

const pad = (content) => {
  const size = sizes.find((candidate) => content.length < candidate);
  if (size === undefined) throw new Error(`a content of ${content.length} bytes is too large`);
  const padded = Buffer.alloc(size);
  padded.set(content);
  padded[content.length] = 0x80;
  return padded;
};

// Null when it has another size, or anything but zeros behind the last 80.
const unpad = (padded) => {
  let end = padded.length;
  while (end > 0 && padded[end - 1] === 0) end--;
  return sizes.includes(padded.length) && padded[end - 1] === 0x80 ? padded.subarray(0, end - 1) : null;
};

const parse = (bytes) => {
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = false;
  try {
    return Content.decode(reader);
  } catch {
    return null;
  }
};

export const contents = {
  encodeContent: (request) => ({
    padded: pad(Content.encode(Content.fromObject(request.content)).finish()).toString('base64'),
  }),

  decodeContent(request) {
    const bytes = unpad(Buffer.from(request.padded, 'base64'));
    const content = bytes === null ? null : parse(bytes);
    if (content === null || content.id?.length !== 16) return {};
    return {
      content: Content.toObject(content, { longs: String, enums: String, bytes: String }),
      again: pad(Content.encode(content).finish()).toString('base64'),
    };
  },
};
