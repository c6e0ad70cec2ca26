import { test } from 'tap';
import {
  chooseRange,
  findAccount,
  findOverlaps,
  hasRange,
  parseAccounts,
  parseRanges,
} from '../../../lib/engine/setup/accounts.ts';

const passwd =
  'root:x:0:0:root:/root:/bin/sh\nmia:x:1000:1000::/home/mia:/bin/sh\n# a line of nobody\nldap:x:120000:5::/:/bin/sh\n';
const mia = { name: 'mia', uid: 1000, gid: 1000 };

test('accounts and ranges are read, other lines are passed over', async (t) => {
  t.same(
    parseAccounts(passwd).map(({ name }) => name),
    ['root', 'mia', 'ldap'],
  );
  t.same(parseRanges('mia:100000:65536\n#x:1:1\nmia:abc:1\n1000:300000:65536\n'), [
    { owner: 'mia', start: 100_000, count: 65_536 },
    { owner: '1000', start: 300_000, count: 65_536 },
  ]);
});

test('refuses a user that does not exist', async (t) => {
  t.throws(() => findAccount(passwd, 'mai\u202e'), { code: 'HOST_UNPREPARED', message: /mai\\u\{202e\}/ });
});

test('a range counts under the name and under the uid, when it is large enough', async (t) => {
  t.ok(hasRange(mia, parseRanges('mia:100000:65536')));
  t.ok(hasRange(mia, parseRanges('1000:100000:65536')));
  t.notOk(hasRange(mia, parseRanges('mia:100000:65535')));
  t.notOk(hasRange(mia, parseRanges('miami:100000:65536')));
});

test('a range that another owner or a user of the host has, too, is found', async (t) => {
  const ranges = parseRanges('mia:100000:65536\nzoe:165535:10\n');
  t.match(findOverlaps(mia, ranges, parseAccounts(passwd)), [/of zoe$/, /120000\+1 of ldap$/]);
  t.same(findOverlaps(mia, parseRanges('mia:200000:65536\nmia:200000:65536'), parseAccounts(passwd)), []);
});

test('the chosen range is the first that nobody has', async (t) => {
  t.equal(chooseRange([], []), 100_000);
  t.equal(chooseRange(parseRanges('a:100000:65536\nb:165536:65536'), []), 231_072);
  t.equal(chooseRange(parseRanges('b:165536:65536\na:100000:65536'), []), 231_072, 'in any order');
  t.equal(chooseRange(parseRanges('a:165535:1'), []), 165_536, 'a range that only touches it counts');
  t.equal(chooseRange([], parseAccounts(passwd)), 120_001, 'uids of the host count');
});

test('refuses when no range is left', async (t) => {
  t.throws(() => chooseRange([{ owner: 'a', start: 100_000, count: 4_294_800_000 }], []), { code: 'HOST_UNPREPARED' });
});
