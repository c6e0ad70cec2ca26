import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { renderContainerfile } from '../../lib/image/containerfile.ts';
import { definedImages, loadDefinition } from '../../lib/image/definition.ts';
import { matchGolden } from '../golden.ts';

const install = new URL('../..', import.meta.url).pathname;

for (const name of definedImages(install)) {
  test(`${name} as a Containerfile is what the golden says`, async (t) => {
    const { image, folder } = loadDefinition(install, name);
    const text = renderContainerfile(image, existsSync(join(folder, 'files')));
    matchGolden(t, join(import.meta.dirname, 'golden', `${name}.containerfile`), text);
    t.match(text, /^FROM /m);
    t.match(text, /^USER 65532:65532$/m);
    t.notMatch(text, /https?:/, 'no mirror or registry is named');
  });
}

test('a label cannot leave its quotes or be expanded', async (t) => {
  const { image } = loadDefinition(install, 'base-tools');
  const text = renderContainerfile({ ...image, labels: { a: 'x"\nRUN evil $HOME' } });
  t.match(text, 'LABEL a="x\\"\\nRUN evil \\$HOME"');
  t.notMatch(text, /^RUN evil/m);
});
