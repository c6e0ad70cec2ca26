// Owns the same image as a Containerfile, for those who build from a registry base with their own tools.
import { bridgePoint, initFile, mountPoints } from './rootfs.ts';
import type { ImageDefinition, NpmPackage } from './schema.ts';

/** JSON's string syntax is a Containerfile's too, but `$` would be expanded. */
function quote(text: string): string {
  return JSON.stringify(text).replaceAll('$', '\\$');
}

function renderPackages(image: ImageDefinition): string[] {
  const names = [...image.packages].sort().map((name) => `      ${name}`);
  return [
    'RUN apt-get update \\',
    '    && apt-get install --yes --no-install-recommends \\',
    ...names.map((name) => `${name} \\`),
    '    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*',
  ];
}

function renderWheels(image: ImageDefinition): string[] {
  if (image.pypi.length === 0) return [];
  const wanted = image.pypi.join(' ');
  return [
    '',
    'RUN python3 -m venv --without-pip /opt/pypi \\',
    '    && python3 -m pip --python /opt/pypi/bin/python install --no-cache-dir --only-binary=:all: \\',
    `      ${wanted}`,
    'ENV PATH=/usr/local/bin:/usr/bin:/bin:/opt/pypi/bin',
  ];
}

function packLine(item: NpmPackage): string {
  const guard = item.arch === undefined ? '' : `[ "$(dpkg --print-architecture)" != ${item.arch} ] || `;
  return `{ ${guard}npm pack ${item.package}; }`;
}

// A stage of its own: the npm that fetches is Debian's and stays out of the image.
function renderFetchStage(image: ImageDefinition): string[] {
  if (image.npm.length === 0) return [];
  const unpack = image.npm.map((item) => {
    const name = item.package.slice(0, item.package.lastIndexOf('@'));
    const file = `${item.package
      .replace(/^@/, '')
      .replaceAll('/', '-')
      .replace(/@([^@]*)$/, '-$1')}.tgz`;
    const into = item.layout === 'prefix' ? '/out' : `/out/lib/node_modules/${name}`;
    const tidy = item.layout === 'prefix' ? ` && rm -rf ${into}/*.md ${into}/package.json ${into}/share` : '';
    return `    && { [ ! -f ${file} ] || { mkdir -p ${into} && tar -xzf ${file} -C ${into} --strip-components=1${tidy}; }; }`;
  });
  return [
    `FROM \${BASE} AS fetch`,
    'WORKDIR /fetch',
    'RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates npm',
    `RUN ${image.npm.map(packLine).join(' \\\n    && ')} \\`,
    ...unpack.map((line, index) => (index === unpack.length - 1 ? line : `${line} \\`)),
    '',
  ];
}

function renderModules(image: ImageDefinition): string[] {
  if (image.npm.length === 0) return [];
  const modules = image.npm.filter((item) => item.layout === 'module').map((item) => item.package);
  const links = modules.map((spec) => {
    const module = `/usr/local/lib/node_modules/${spec.slice(0, spec.lastIndexOf('@'))}`;
    const script =
      'const m = process.argv[1], p = require(m + "/package.json"), fs = require("node:fs");' +
      ' for (const [n, f] of Object.entries(p.bin ?? {})) {' +
      ' fs.chmodSync(m + "/" + f, 0o755); const b = "/usr/local/bin/" + n;' +
      ' if (!fs.existsSync(b)) fs.symlinkSync(m + "/" + f, b); }';
    return `RUN ["/usr/local/bin/node", "-e", ${JSON.stringify(script)}, "${module}"]`;
  });
  return ['', 'COPY --from=fetch /out/ /usr/local/', ...links];
}

/** `image` as a Containerfile; `files` says whether a folder `files` stands beside its image.yaml. */
export function renderContainerfile(image: ImageDefinition, files = false): string {
  const accounts = ['sandbox:65532', 'user:1000', 'user1001:1001'].map((entry) => entry.split(':'));
  const passwd = accounts.map(([name, id]) => `'${name}:x:${id}:${id}::/workspace:/bin/sh'`).join(' ');
  const group = accounts.map(([name, id]) => `'${name}:x:${id}:'`).join(' ');
  const labels = { 'org.opencontainers.image.version': image.version, ...image.labels };
  return `${[
    `# ${image.name} ${image.version}: made by \`sandbox image containerfile ${image.name}\` from its image.yaml.`,
    `ARG BASE=debian:${image.base.suite}-slim`,
    '',
    ...renderFetchStage(image),
    `FROM \${BASE}`,
    'ENV DEBIAN_FRONTEND=noninteractive',
    ...renderPackages(image),
    ...renderWheels(image),
    ...(files ? ['', 'COPY files/ /'] : []),
    ...renderModules(image),
    '',
    `RUN printf '%s\\n' ${passwd} >>/etc/passwd \\`,
    `    && printf '%s\\n' ${group} >>/etc/group \\`,
    `    && mkdir -p ${[...mountPoints, bridgePoint, '/.cofferdam'].join(' ')} \\`,
    `    && : >${initFile} && chmod 0555 ${initFile} \\`,
    '    && find / -xdev -type f -perm /6000 -exec chmod ug-s {} +',
    '',
    ...Object.entries(labels)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `LABEL ${key}=${quote(value)}`),
    `LABEL org.opencontainers.image.description=${quote(image.description)}`,
    'ENV DEBIAN_FRONTEND=',
    'WORKDIR /workspace',
    `USER ${image.user.uid}:${image.user.gid}`,
    'CMD ["/bin/sh"]',
  ].join('\n')}\n`;
}
