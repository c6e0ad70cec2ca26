// Owns a reader of the part of pf.conf(5)'s grammar that our anchors use: tables, and filter rules without routing.
import { isIP } from 'node:net';

type Tokens = { readonly all: readonly string[]; at: number };

const tokenize = (line: string) => line.match(/"[^"]*"|><|<=|<[^>\s]*>|[{}(),!]|[^\s{}(),!"<>]+|[<>]/g) ?? [];

function fail(tokens: Tokens, wanted: string): never {
  throw new Error(`${wanted} expected at "${tokens.all.slice(tokens.at, tokens.at + 3).join(' ')}"`);
}

const peek = (tokens: Tokens) => tokens.all[tokens.at] ?? '';

function accept(tokens: Tokens, ...words: readonly string[]): boolean {
  if (!words.includes(peek(tokens))) return false;
  tokens.at++;
  return true;
}

function expect(tokens: Tokens, pattern: RegExp, wanted: string): string {
  const token = peek(tokens);
  if (!pattern.test(token)) fail(tokens, wanted);
  tokens.at++;
  return token;
}

/** `{ item [, item]… }`, or one item. The grammar lets commas be left out; we always write them. */
function list(tokens: Tokens, item: () => void): void {
  if (!accept(tokens, '{')) {
    item();
    return;
  }
  do item();
  while (accept(tokens, ','));
  if (!accept(tokens, '}')) fail(tokens, '}');
}

function address(tokens: Tokens): void {
  const [host = '', bits] = expect(tokens, /^[0-9a-fA-F:./]+$/, 'an address').split('/');
  const family = isIP(host);
  if (family === 0) fail(tokens, `an address instead of ${host}`);
  if (bits !== undefined && !(Number(bits) >= 0 && Number(bits) <= (family === 4 ? 32 : 128))) fail(tokens, 'a prefix');
}

function port(tokens: Tokens): void {
  const number = expect(tokens, /^[0-9]+$/, 'a port');
  if (Number(number) < 1 || Number(number) > 65_535) fail(tokens, 'a port');
}

// pfctl's lexer takes "1:2" for the name of a user, whatever the manual's grammar says: unary and "><" alone.
function user(tokens: Tokens): void {
  accept(tokens, '<=');
  const first = expect(tokens, /^[0-9]+$/, 'a uid');
  if (accept(tokens, '><') && Number(expect(tokens, /^[0-9]+$/, 'a uid')) <= Number(first) + 1)
    fail(tokens, 'a range in order');
}

function endpoint(tokens: Tokens, tables: ReadonlySet<string>): void {
  if (!accept(tokens, 'any', 'self')) {
    list(tokens, () => {
      const name = /^<([A-Za-z_][A-Za-z0-9_]{0,30})>$/.exec(peek(tokens))?.[1];
      if (name === undefined) address(tokens);
      else if (!tables.has(name)) fail(tokens, `a table that was made before, not ${name},`);
      else tokens.at++;
    });
  }
  if (accept(tokens, 'port')) list(tokens, () => port(tokens));
}

function table(tokens: Tokens, tables: Set<string>): void {
  // PF_TABLE_NAME_SIZE is 32 with its NUL.
  const name = expect(tokens, /^<[A-Za-z_][A-Za-z0-9_]{0,30}>$/, 'the name of a table');
  accept(tokens, 'const');
  if (peek(tokens) !== '{') fail(tokens, '{');
  list(tokens, () => address(tokens));
  tables.add(name.slice(1, -1));
}

function rule(tokens: Tokens, tables: ReadonlySet<string>): void {
  if (accept(tokens, 'block')) accept(tokens, 'drop', 'return');
  else if (!accept(tokens, 'pass')) fail(tokens, 'block or pass');
  accept(tokens, 'in', 'out');
  accept(tokens, 'quick');
  if (accept(tokens, 'on')) {
    accept(tokens, '!');
    expect(tokens, /^[a-z]+[0-9]+$/, 'an interface');
  }
  accept(tokens, 'inet', 'inet6');
  if (accept(tokens, 'proto')) list(tokens, () => void expect(tokens, /^(tcp|udp|icmp|icmp6)$/, 'a protocol'));
  if (!accept(tokens, 'from')) fail(tokens, 'from');
  endpoint(tokens, tables);
  if (!accept(tokens, 'to')) fail(tokens, 'to');
  endpoint(tokens, tables);
  if (accept(tokens, 'user')) list(tokens, () => user(tokens));
  if (accept(tokens, 'keep') && !accept(tokens, 'state')) fail(tokens, 'state');
  if (accept(tokens, 'label')) expect(tokens, /^"[a-z-]{1,63}"$/, 'a label');
}

/** The number of rules in an anchor's text. Throws an Error that names the line and what the grammar wants there. */
export function parsePf(text: string): number {
  const tables = new Set<string>();
  let rules = 0;
  for (const [i, line] of text.split('\n').entries()) {
    const tokens: Tokens = { all: tokenize(line.replace(/#.*$/, '')), at: 0 };
    if (tokens.all.length === 0) continue;
    try {
      if (accept(tokens, 'table')) table(tokens, tables);
      else {
        rule(tokens, tables);
        rules++;
      }
      if (tokens.at < tokens.all.length) fail(tokens, 'the end of the line');
    } catch (cause) {
      throw new Error(`line ${i + 1}: ${cause instanceof Error ? cause.message : ''}`, { cause });
    }
  }
  return rules;
}
