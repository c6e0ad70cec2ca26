// Owns telling a secret from an ordinary environment value, by its name and by its shape.

/** Names that hold a secret whatever the value is. Words are what stands between underscores. */
const secretNames: readonly RegExp[] = [
  /PASSWORD|PASSWD|PASSPHRASE/,
  /(^|_)(SECRET|SECRETS|CREDENTIAL|CREDENTIALS|APIKEY|JWT)(_|$)/,
  // The last word only: TOKEN_LIMIT and MAX_TOKENS count the tokens of a model.
  /(TOKEN|SECRET|_PWD|_PAT|_AUTH|_COOKIE)$/,
  /(API|ACCESS|SECRET|PRIVATE|SIGNING|ENCRYPTION|MASTER|DEPLOY|LICENSE|SERVICE_ACCOUNT|SSH|GPG|AUTH|SESSION)_?KEY(_ID)?$/,
];

/** A switch, or nothing at all: ALLOW_EMPTY_PASSWORD=yes. */
const harmless = /^(|0|1|true|false|yes|no|on|off)$/i;

/** `what it is`: pattern. Each stands anywhere in the value: a secret in JSON or in a URL is one too. */
const shapes: readonly (readonly [string, RegExp])[] = [
  ['a private key', /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|AGE-SECRET-KEY-1[0-9A-Z]{20}/],
  ['a URL with a password in it', /[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@?#]{0,256}:[^\s/@?#]{1,256}@/i],
  ['a JSON web token', /(?<![\w-])eyJ[\w-]{8,8000}\.eyJ[\w-]{2,8000}\.[\w-]{8}/],
  ['an authorization header', /\b(bearer|basic)\s{1,9}[\w.~+/-]{16}/i],
  [
    'an assignment of a password or key',
    /\b(password|passwd|pwd|secret|api[_-]?key|(access|auth)[_-]?token)["']?\s{0,9}[=:]\s{0,9}["']?[^\s;&"'$<{]{6}/i,
  ],
  [
    'an API key',
    /(?<![A-Za-z0-9])sk-([0-9a-f]{32}|(?=[\w-]{0,100}[0-9])(?=[\w-]{0,100}[A-Z])(?=[\w-]{0,100}[a-z])[\w-]{20})/,
  ],
  ['a payment key', /(?<![A-Za-z0-9])(sk|rk|whsec)_((live|test)_)?[A-Za-z0-9]{24}/],
  ['a GitHub token', /(?<![A-Za-z0-9])(gh[pousr]_[A-Za-z0-9]{20}|github_pat_[A-Za-z0-9_]{20})/],
  ['a GitLab token', /(?<![A-Za-z0-9])gl(pat|dt|rt|cbt|ptt|ft|soat|agent|imt)-[\w-]{16}/],
  ['a chat token', /(?<![A-Za-z0-9])(xox[abeoprs]|xapp)-[\w-]{10}/],
  [
    'a cloud access key',
    /(?<![A-Za-z0-9])((AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}|AIza[\w-]{35}|ya29\.[\w-]{20})(?![A-Za-z0-9])/,
  ],
  [
    'a registry token',
    /(?<![A-Za-z0-9])(npm_[A-Za-z0-9]{30}|pypi-[\w-]{30}|dckr_(pat|oat)_[\w-]{20}|rubygems_[0-9a-f]{40})/,
  ],
  [
    'a service token',
    /(?<![A-Za-z0-9])(hf_[A-Za-z]{30}|gsk_[A-Za-z0-9]{40}|xai-[A-Za-z0-9]{40}|r8_[A-Za-z0-9]{30}|dop_v1_[0-9a-f]{40}|hv[sb]\.[\w-]{20}|SG\.[\w-]{16,32}\.[\w-]{20}|shp(at|ca|pa|ss)_[0-9a-fA-F]{32}|tskey-[\w-]{20}|lin_api_[A-Za-z0-9]{30})/,
  ],
];

/** Long random-looking texts that are public: digests, integrity values, public keys, certificates, inline pictures. */
const publicTexts =
  /\bsha(1|256|384|512)[-:][\w+/-]+=*|\bh1:[A-Za-z0-9+/]{43}=|\b(ssh-(rsa|ed25519)|ecdsa-sha2-nistp[0-9]{3}) [A-Za-z0-9+/]+=*|-----BEGIN (CERTIFICATE|PUBLIC KEY)-----[A-Za-z0-9+/=\s]*|\bdata:[\w/+.-]{0,80};base64,[A-Za-z0-9+/]*=*/g;

function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((sum, n) => sum - (n / text.length) * Math.log2(n / text.length), 0);
}

function share(text: string, pattern: RegExp): number {
  return (text.match(pattern) ?? []).join('').length / text.length;
}

/**
 * Whether 24 or more characters look drawn at random from 62: all three classes, digits here and there, few runs that
 * could be words, and at least 3.5 bits each (random ones have over 4). Known limits: random lower-case or hex text
 * passes, because commit ids and store paths look just like it, and so does one random text in five of 24 characters,
 * one in ten of 40. There only the name can tell; a rule that caught them would refuse class names.
 */
function looksRandom(word: string): boolean {
  if (word.length < 24 || share(word, /[-_]/g) > 0.1) return false;
  if (!/[a-z]/.test(word) || !/[A-Z]/.test(word)) return false;
  if ((word.match(/[0-9]+/g) ?? []).length < (word.length < 32 ? 2 : 1)) return false;
  // Half of a name in CamelCase or of a path is words; of random text it is a third.
  return share(word, /[A-Z][a-z]{2,}|[a-z]{4,}|[A-Z]{4,}/g) < 0.52 && entropy(word) >= 3.5;
}

/** The text that `word` is the base64 of, when that is plain text: then the text is what must be judged. */
function decodedText(word: string): string | undefined {
  if (word.length < 16 || !/^[A-Za-z0-9+/]+={0,2}$/.test(word)) return undefined;
  const text = Buffer.from(word, 'base64').toString('latin1');
  return /^[\t\n\r\x20-\x7e]+$/.test(text) ? text : undefined;
}

function findRandom(value: string, depth: number): string | undefined {
  const text = value.replace(publicTexts, ' ');
  const isPath = /^[.~]{0,2}\/|:\/\//.test(text);
  // A base64 text may hold slashes; a path does hold them.
  const words = text.split(isPath ? /[^A-Za-z0-9+=_-]+/ : /[^A-Za-z0-9+=_/-]+/);
  for (const word of words.flatMap((whole) => [whole, ...(whole.includes('=') ? whole.split('=') : [])])) {
    const plain = depth > 0 ? decodedText(word) : undefined;
    const found =
      plain === undefined ? looksRandom(word.replace(/=+$/, '')) && 'long random text' : secretShape(plain, depth - 1);
    if (found) return found;
  }
  return undefined;
}

function secretShape(value: string, depth: number): string | undefined {
  return shapes.find(([, pattern]) => pattern.test(value))?.[0] ?? findRandom(value, depth);
}

/**
 * Why the variable looks like a secret ("its name is that of a secret", "its value looks like a GitHub token"), or
 * undefined. The answer never holds any part of the value.
 */
export function findSecret(name: string, value: string): string | undefined {
  if (harmless.test(value)) return undefined;
  const shape = secretShape(value, 2);
  if (shape !== undefined) return `its value looks like ${shape}`;
  const upper = name.toUpperCase();
  const isPlace = /_(FILE|PATH|DIR|SOCK|URL|HOST)$/.test(upper);
  if (!isPlace && secretNames.some((pattern) => pattern.test(upper))) return 'its name is that of a secret';
  return undefined;
}
