import { test } from 'tap';
import { definedImages, loadDefinition, parseDefinition } from '../../lib/image/definition.ts';

const install = new URL('../..', import.meta.url).pathname;
const good = 'name: x\nversion: 1.0.0\ndescription: d\nbase: {suite: trixie}\npackages: [bash]\n';
const parse = (text: string) => () => parseDefinition(text, 'images/x/image.yaml', 'x');

test('every shipped image is well-formed and holds what base-tools holds', async (t) => {
  t.same(definedImages(install), ['base-tools', 'go-tools', 'node-tools', 'python-tools', 'secops-tools']);
  const base = loadDefinition(install, 'base-tools').image;
  for (const name of definedImages(install)) {
    const { image } = loadDefinition(install, name);
    t.same(
      base.packages.filter((item) => !image.packages.includes(item)),
      [],
      name,
    );
    t.same(image.packages, [...image.packages].sort(), `${name}: packages are sorted`);
  }
});

test('a definition gets its defaults', async (t) => {
  const image = parse(good)();
  t.equal(image.allowed, true);
  t.same(image.user, { uid: 65532, gid: 65532 });
  t.same(image.capabilities.tools, []);
  t.equal(image.capabilities.agent_compatible, true);
});

test('refuses an unknown key at its line, with the nearest key', async (t) => {
  t.throws(parse(`${good}packges: []\n`), {
    code: 'CONFIG_INVALID',
    message: /image\.yaml:6:1 {2}packges: unknown key; did you mean "packages"/,
  });
});

test('refuses what is no YAML', async (t) => {
  t.throws(parse('name: [x\n'), { code: 'YAML_INVALID' });
});

for (const [fault, text] of [
  ['a suite that is not stable', good.replace('trixie', 'sid')],
  ['a package with a version', good.replace('bash', '"bash=5.2"')],
  ['an option among the packages', good.replace('bash', '"--aptopt=x"')],
  ['no packages', good.replace('[bash]', '[]')],
  ['a PyPI package without a version', `${good}pypi: [semgrep]\n`],
  ['a PyPI package without pip', `${good}pypi: [semgrep==1.0]\n`],
  ['an npm package with a range', `${good}npm: [{package: "npm@^11"}]\n`],
  ['root as the user', `${good}user: {uid: 0, gid: 0}\n`],
  ['a tool that is shell text', `${good}capabilities: {tools: ["x; rm -rf /"]}\n`],
  ['another name than its folder', good.replace('name: x', 'name: y')],
] as const) {
  test(`refuses ${fault}`, async (t) => {
    t.throws(parse(text), { code: 'CONFIG_INVALID' });
  });
}

test('refuses an unknown image with near names, and a name that is a path', async (t) => {
  t.throws(() => loadDefinition(install, 'pyton-tools'), { code: 'IMAGE_UNKNOWN', message: /python-tools/ });
  t.throws(() => loadDefinition(install, '../profiles'), { code: 'IMAGE_UNKNOWN' });
  t.throws(() => loadDefinition(install, '\u001b[31mred'), { code: 'IMAGE_UNKNOWN', message: /^[^\u001b]*$/ });
});
