/** Most bytes of one image inside a message: what OpenAI and Anthropic take at most is between 5 and 20 MiB. */
const imageBytesMax = 10 * 1024 * 1024;

/** How files of a media type begin, in hexadecimal; `.` is any digit. */
const signatures: Readonly<Record<string, RegExp>> = {
  'image/png': /^89504e470d0a1a0a/,
  'image/jpeg': /^ffd8ff/,
  'image/jpg': /^ffd8ff/,
  'image/gif': /^474946383[79]61/,
  'image/webp': /^52494646.{8}57454250/,
};

const mediaTypes = 'image/png, image/jpeg, image/gif or image/webp';

/** Why an image's URL can't be used, or undefined when it can: https, or base64 data of a known kind. */
export function imageUrlProblem(url: string): string | undefined {
  if (url.startsWith('data:')) return dataUrlProblem(url);
  if (!URL.canParse(url)) return 'must be an https or data URL';
  const { protocol, username, password } = new URL(url);
  if (protocol !== 'https:') return 'must be an https or data URL';
  if (username !== '' || password !== '') return 'must not contain a user name or password';
  return url.length > 8_192 ? 'must not be longer than 8192 characters' : undefined;
}

function dataUrlProblem(url: string): string | undefined {
  const comma = url.indexOf(',');
  const [, mediaType = ''] = /^data:([a-z]+\/[a-z0-9.+-]+);base64$/i.exec(url.slice(0, Math.max(comma, 0))) ?? [];
  const signature = signatures[mediaType.toLowerCase()];
  if (signature === undefined) return `must be data:<media type>;base64,<data> of ${mediaTypes}`;
  const length = url.length - comma - 1;
  if (length === 0) return 'has no data';
  if (length * 0.75 > imageBytesMax) return `must not be larger than ${imageBytesMax / 1024 / 1024} MiB`;
  const body = url.slice(comma + 1);
  if (length % 4 === 1 || !/^[A-Za-z0-9+/]*={0,2}$/.test(body)) return 'is not base64';
  const start = Buffer.from(body.slice(0, 32), 'base64').toString('hex');
  return signature.test(start) ? undefined : `is not a ${mediaType.toLowerCase()} file`;
}
