// Owns the steps for accounts: the system user, and subordinate ids for it and for users.
import { CofferdamError } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { bridgeUser, proxyUser } from '../../firewall/identities.ts';
import { type SubidFiles, subidFiles, systemUser } from '../subids.ts';
import { chooseRange, findAccount, findOverlaps, hasRange, parseAccounts, parseRanges, rangeSize } from './accounts.ts';
import type { Step } from './step.ts';

const most = 16 << 20;

function readFiles(files: SubidFiles) {
  const text = (file: string) => readTextIfPresent(file, most) ?? '';
  return {
    passwd: text(files.passwd),
    subuid: parseRanges(text(files.subuid)),
    subgid: parseRanges(text(files.subgid)),
  };
}

function accountStep(id: string, name: string, home: string, files: SubidFiles): Step {
  return {
    id,
    title: `the system user ${name}`,
    async missing() {
      const found = parseAccounts(readFiles(files).passwd).some((account) => account.name === name);
      return found ? undefined : 'no such user';
    },
    async apply() {
      const options = ['--system', '--user-group', '--no-create-home', '--home-dir', home];
      await runTool('useradd', [...options, '--shell', '/usr/sbin/nologin', name]);
    },
  };
}

/** The user whose ids root-run sandboxes get, and who builds images for root. It can log in nowhere and owns nothing. */
export function systemUserStep(files: SubidFiles = subidFiles): Step {
  return accountStep('user', systemUser, '/var/lib/cofferdam', files);
}

/** The accounts that the host firewall tells the bridge and the proxy by: they run nothing else and log in nowhere. */
export function egressUserSteps(files: SubidFiles = subidFiles): Step[] {
  return [
    accountStep('bridge-user', bridgeUser, '/nonexistent', files),
    accountStep('proxy-user', proxyUser, '/nonexistent', files),
  ];
}

/** A range of subordinate uids and gids for `name` that is nobody else's. */
export function subidStep(name: string, files: SubidFiles = subidFiles): Step {
  const look = () => {
    const { passwd, subuid, subgid } = readFiles(files);
    return { account: findAccount(passwd, name), accounts: parseAccounts(passwd), subuid, subgid };
  };
  return {
    id: `subids-${name}`,
    title: `subordinate ids of ${name}`,
    async missing() {
      const { account, accounts, subuid, subgid } = look();
      const shared = [...findOverlaps(account, subuid, accounts), ...findOverlaps(account, subgid, [])];
      if (shared.length > 0) {
        throw new CofferdamError('HOST_UNPREPARED', `subordinate ids are given twice: ${shared[0]}`, {
          details: shared,
          remedy: 'two owners could read and kill each other; mend /etc/subuid and /etc/subgid by hand',
        });
      }
      const lacks = [
        ...(hasRange(account, subuid) ? [] : [files.subuid]),
        ...(hasRange(account, subgid) ? [] : [files.subgid]),
      ];
      return lacks.length === 0 ? undefined : `no range of ${rangeSize} in ${lacks.join(' and ')}`;
    },
    async apply() {
      const { account, accounts, subuid, subgid } = look();
      const start = chooseRange([...subuid, ...subgid], accounts);
      const range = `${start}-${start + rangeSize - 1}`;
      const options = [
        ...(hasRange(account, subuid) ? [] : ['--add-subuids', range]),
        ...(hasRange(account, subgid) ? [] : ['--add-subgids', range]),
      ];
      // usermod takes the locks that useradd and newusers take.
      await runTool('usermod', [...options, name]);
    },
  };
}
