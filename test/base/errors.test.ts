// Owns the proof that every error has a code, an exit status and a remedy, and that places of ours are where they should be.
import { test } from 'tap';
import { catalogue, type ErrorCode } from '../../lib/base/catalogue.ts';
import { CofferdamError, errnoOf, messageOf } from '../../lib/base/errors.ts';
import { resolvePaths } from '../../lib/base/paths.ts';

test('an error has what its code says, and keeps its cause', async (t) => {
  const cause = new Error('why');
  const error = new CofferdamError('PROFILE_UNKNOWN', 'no profile', { cause, details: ['a', 'b'] });
  t.match(error, {
    code: 'PROFILE_UNKNOWN',
    exit: 2,
    remedy: catalogue.PROFILE_UNKNOWN.remedy,
    details: ['a', 'b'],
    cause,
  });
  t.equal(new CofferdamError('INTERNAL', 'x', { remedy: 'do y' }).remedy, 'do y');
  t.same(new CofferdamError('INTERNAL', 'x').details, []);
});

test('every entry of the catalogue is one sentence and one remedy', async (t) => {
  for (const [code, { exit, meaning, remedy }] of Object.entries(catalogue)) {
    t.match(code, /^[A-Z]+(_[A-Z]+)*$/);
    t.ok([2, 125, 126, 127].includes(exit), `${code} exits with ${exit}`);
    t.match(meaning, /^[A-Z].*\.$/, `${code} has a meaning`);
    t.ok(remedy.length > 5, `${code} has a remedy`);
  }
});

test('whatever was thrown has a message', async (t) => {
  t.same([messageOf(new Error('a')), messageOf('b'), messageOf(undefined)], ['a', 'b', 'undefined']);
  t.same(
    [errnoOf(Object.assign(new Error(''), { code: 'ENOENT' })), errnoOf(new Error('')), errnoOf('x')],
    ['ENOENT', undefined, undefined],
  );
  const code: ErrorCode = 'INTERNAL';
  t.equal(errnoOf(new CofferdamError(code, 'x')), code);
});

test('a user has XDG folders, root has the system, and the ceiling is the system one for both', async (t) => {
  const install = '/opt/cofferdam';
  const user = resolvePaths({
    uid: 1000,
    env: { HOME: '/home/u', XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: 'relative' },
    install,
  });
  t.match(user, {
    hostConfig: '/etc/cofferdam/config.yaml',
    config: '/c/cofferdam',
    state: '/home/u/.local/state/cofferdam',
  });
  const root = resolvePaths({ uid: 0, env: { HOME: '/root', XDG_CONFIG_HOME: '/evil' }, install });
  t.match(root, { hostConfig: '/etc/cofferdam/config.yaml', config: '/etc/cofferdam', run: '/run/cofferdam' });
  for (const env of [{}, { HOME: '' }, { HOME: 'relative' }]) {
    t.throws(() => resolvePaths({ uid: 1000, env, install }), { code: 'HOST_UNPREPARED' });
  }
});
