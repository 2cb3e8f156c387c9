import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import fc from "fast-check";
import { readCommandLine } from "./command-line.ts";
import { Pattern } from "./pattern.ts";
import { programName } from "./program.ts";

describe("a command line", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-cmdline-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  function read(executable: string, words: readonly string[], patterns: readonly Pattern[] = []) {
    const file = join(folder, "cmdline");
    writeFileSync(file, words.map((word) => `${word}\0`).join(""));
    const fd = openSync(file, "r");
    try {
      return readCommandLine(fd, executable, patterns);
    } finally {
      closeSync(fd);
    }
  }

  /** As typed by a user; the first word is the executable's path unless `as` states how it was called. */
  const name = (path: string, line: string, as = path) =>
    programName(path, read(basename(path), [as, ...line.split(" ").filter(Boolean)]), folder);

  const table: readonly (readonly [path: string, line: string, expected: string])[] = [
    ["/usr/bin/python3.11", "/srv/shop/app.py --port 80", "app.py"],
    ["/usr/bin/python3.11", "-u -W ignore -Xdev app.py", "app.py"],
    ["/usr/bin/python3.11", "-m http.server 8000", "http.server"],
    ["/usr/bin/python3", "-um gunicorn shop:app", "gunicorn"],
    ["/usr/bin/python3", "-mflask run", "flask"],
    ["/usr/bin/python3.11", "-c secret()", "python"],
    ["/usr/bin/python3.11", "-Bc secret()", "python"],
    ["/usr/bin/python3.11", "", "python"],
    ["/usr/bin/python3.11", "-- -odd.py", "-odd.py"],
    ["/usr/bin/python3.11", "- secret", "python"],
    ["/usr/bin/python3.11", "-u - secret", "python"],
    ["/usr/bin/python3.11", "/srv/shop/", "shop"],
    ["/usr/bin/python3.13t", "app.py", "app.py"],
    ["/usr/bin/python3.11-dbg", "-c secret", "python"],
    ["/opt/pypy3.10/bin/pypy3.10", "/srv/x.py", "x.py"],
    ["/usr/bin/node", "/srv/api/server.js --token t", "server.js"],
    [
      "/usr/bin/node",
      "--max-old-space-size=99 --require ./secret.js -r x --env-file .env srv/index.mjs",
      "index.mjs",
    ],
    ["/usr/bin/node", "-e secret()", "node"],
    ["/usr/bin/node", "--eval=secret() secret", "node"],
    ["/usr/bin/node", "--print=secret() secret", "node"],
    ["/usr/bin/node", "- secret", "node"],
    ["/usr/bin/node", "--disable-warning DEP0040 --cpu-prof-dir /tmp srv/index.mjs", "index.mjs"],
    ["/usr/bin/node", ".", "node"],
    ["/usr/bin/nodejs", "inspect bin/www", "www"],
    ["/usr/bin/deno", "run --allow-net main.ts", "main.ts"],
    ["/usr/bin/deno", "serve --port 80 main.ts", "main.ts"],
    ["/usr/bin/deno", "eval secret()", "deno"],
    ["/usr/bin/bun", "run start.ts", "start.ts"],
    ["/usr/bin/bun", "--print secret()", "bun"],
    ["/usr/bin/ruby3.1", "-I lib -rbundler/setup -W0 /usr/bin/rails server", "rails"],
    ["/usr/bin/ruby", "-S sidekiq", "sidekiq"],
    ["/usr/bin/ruby", "-ne secret", "ruby"],
    ["/usr/bin/ruby", "--encoding utf-8 app.rb", "app.rb"],
    ["/usr/bin/ruby", "- secret", "ruby"],
    ["/usr/bin/perl", "-w - secret", "perl"],
    ["/usr/bin/perl", "-T -Mstrict -w /usr/sbin/ddclient", "ddclient"],
    ["/usr/bin/perl", "-lne print(secret) file", "perl"],
    ["/usr/bin/php8.2", "-d memory_limit=1G artisan queue:work", "artisan"],
    ["/usr/bin/php", "-S 127.0.0.1:80 -t public", "php"],
    ["/usr/bin/php", "--run secret()", "php"],
    ["/usr/bin/php", "-- secret", "php"],
    ["/usr/bin/php8.2", "--define a=b --file /srv/cron.php secret", "cron.php"],
    ["/usr/bin/php8.2", "--file=/srv/cron.php secret", "cron.php"],
    ["/usr/sbin/php-fpm8.2", "--nodaemonize", "php-fpm"],
    ["/usr/bin/bash", "-eu -o pipefail /opt/backup.sh secret", "backup.sh"],
    ["/usr/bin/bash", "-lc secret", "bash"],
    ["/usr/bin/bash", "-s secret", "bash"],
    ["/usr/bin/bash", "-es -- --token=secret", "bash"],
    ["/usr/bin/bash", "- /opt/backup.sh", "backup.sh"],
    ["/usr/bin/fish", "--command=secret secret", "fish"],
    ["/usr/bin/fish", "--command secret", "fish"],
    ["/usr/bin/julia", "--eval secret()", "julia"],
    ["/usr/bin/julia", "-O --threads 4 server.jl", "server.jl"],
    ["/usr/bin/tclsh8.6", "-encoding utf-8 app.tcl", "app.tcl"],
    ["/usr/bin/dash", "/etc/init.d/thing start", "thing"],
    ["/usr/bin/lua5.4", "-l mod main.lua", "main.lua"],
    ["/usr/lib/jvm/j/bin/java", "-Xmx1g -Dpassword=p -cp a.jar:b.jar com.shop.Main arg", "com.shop.Main"],
    ["/usr/lib/jvm/j/bin/java", "-javaagent:x.jar -jar /srv/shop.jar --password=p", "shop.jar"],
    ["/usr/lib/jvm/j/bin/java", "-jar -Dpassword=secret shop.jar", "shop.jar"],
    ["/usr/lib/jvm/j/bin/java", "--module=shop/com.shop.Main secret", "com.shop.Main"],
    ["/usr/lib/jvm/j/bin/java", "@jvm.args -jar shop.jar secret", "shop.jar"],
    ["/usr/lib/jvm/j/bin/java", "@all.args secret", "java"],
    ["/usr/lib/jvm/j/bin/java", "--module-path mods -m shop/com.shop.Main", "com.shop.Main"],
    ["/usr/bin/dotnet", "--roll-forward Major /app/Shop.Api.dll --key k", "Shop.Api.dll"],
    ["/usr/bin/dotnet", "exec --depsfile x Shop.dll", "Shop.dll"],
    ["/usr/bin/dotnet", "run --project secret", "dotnet"],
    ["/usr/bin/mono", "/srv/x.exe", "x.exe"],
    [
      "/usr/lib/erlang/erts-13/bin/beam.smp",
      "-W w -- -root /usr/lib/erlang -progname erl -- -home / -s rabbit boot -setcookie secret",
      "rabbit",
    ],
    ["/usr/lib/erlang/erts-13/bin/beam.smp", "-- -root /x -- -extra /usr/bin/mix phx.server", "mix"],
    ["/usr/lib/erlang/erts-13/bin/beam.smp", "-- -root /x", "beam.smp"],
    ["/usr/lib/erlang/erts-13/bin/beam.smp", "-- -root /x -extra -e secret()", "beam.smp"],
    ["/usr/bin/busybox", "httpd -f -p 80", "httpd"],
    ["/usr/bin/busybox", "sh /srv/run.sh secret", "run.sh"],
    ["/usr/bin/busybox", "sh -s secret", "sh"],
    ["/usr/lib64/ld-linux-x86-64.so.2", "--library-path /opt/lib --argv0 x /opt/shop-1.2 secret", "shop"],
    ["/usr/lib/ld-musl-x86_64.so.1", "--library-path=/opt/lib -- /usr/bin/python3.11 -u app.py", "app.py"],
    ["/usr/lib/ld-musl-x86_64.so.1", "/usr/bin/python3.11 -c secret", "python"],
    ["/usr/lib/R/bin/exec/R", "--no-echo --file=/srv/model.R --args secret", "model.R"],
    ["/usr/bin/x264", "in out", "x264"],
    ["/usr/bin/sha256sum", "x", "sha256sum"],
    ["/usr/sbin/mysqld-8.0", "", "mysqld"],
    ["/usr/bin/clang-14", "x.c", "clang"],
    ["/opt/foo-1.2.3", "", "foo"],
    ["/opt/7", "", "7"],
  ];
  for (const [path, line, expected] of table) {
    it(`gives ${expected} for ${basename(path)} ${line}`, () => assert.equal(name(path, line), expected));
  }

  it("accepts titles that programs set themselves", () => {
    for (const [path, title, expected] of [
      ["/usr/bin/python3.11", "gunicorn: master [shop:app]", "gunicorn"],
      ["/usr/bin/ruby3.1", "puma 6.4 (tcp://0.0.0.0:3000) [shop]", "puma"],
      ["/usr/bin/node", "next-server (v14)", "next-server"],
      ["/usr/sbin/nginx", "nginx: worker process", "nginx"],
      ["/usr/lib/postgresql/15/bin/postgres", "postgres: shop secret 127.0.0.1(1) idle", "postgres"],
      ["/usr/bin/python3.11", "[celeryd: celery@h:MainProcess] -active- (worker)", "celeryd"],
      ["/usr/bin/node", "node /srv/shop/app.js", "app.js"],
      ["/usr/bin/node", "node secret", "node"],
      ["/usr/bin/bash", "-bash", "bash"],
      ["/tmp/x", "sshd", "x"],
      ["/usr/bin/redis-check-rdb", "/usr/bin/redis-server *:6379", "redis-server"],
      ["/usr/bin/busybox", "/sbin/udhcpc", "udhcpc"],
      ["/usr/bin/busybox", "/bin/evil name", "evil"],
    ] as const) {
      assert.equal(name(path, "", title), expected, title);
    }
  });

  it("compares arguments with patterns, as far as they are read", () => {
    const patterns = ["*=b", "a*", "x", "*deep*"].map((text) => new Pattern(text));
    const { matched } = read("p", ["x", "a=b", "q".repeat(5000), "deep"], patterns);
    assert.deepEqual([...matched], [0, 1]);
  });

  it("accepts no name with white space or control characters of any script", () => {
    for (const odd of [" ", "\u00a0", "\u2028", "\u3000", "\u0085", "\u202e", "\u200b", "\t"])
      assert.equal(read("python3", ["python3", `a${odd}b.py`]).script, undefined, JSON.stringify(odd));
    assert.equal(read("python3", ["python3", "caf\u00e9.py"]).script, "caf\u00e9.py");
  });

  it("never takes more than a name, whatever it contains", () => {
    const word = fc.oneof(
      fc.constantFrom("-c", "-m", "-e", "--", "-jar", "-extra", "-", "", "-W", "--file=", "x.dll"),
      fc.string({ unit: "binary", maxLength: 40 }).filter((text) => !text.includes("\0")),
    );
    const program = fc.constantFrom(
      "python3",
      "node",
      "java",
      "bash",
      "perl",
      "beam.smp",
      "busybox",
      "R",
      "dotnet",
    );
    fc.assert(
      fc.property(program, fc.array(word, { maxLength: 8 }), (executable, words) => {
        const { called, script } = read(executable, words);
        for (const text of [called, script]) {
          assert.ok(text === undefined || (/^[^\s/]+$/.test(text) && text.length <= 128), `${text}`);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("a pattern", () => {
  it("matches the whole text, with * for anything", () => {
    for (const [pattern, text, expected] of [
      ["a", "a", true],
      ["a", "ab", false],
      ["*", "", true],
      ["a*", "a", true],
      ["a*c", "ac", true],
      ["a*c", "abbc", true],
      ["a*b*c", "acb", false],
      ["ab*ba", "aba", false],
      ["*é*", "caf\u00e9", true],
      ["", "", true],
      ["", "a", false],
    ] as const) {
      assert.equal(new Pattern(pattern).matches(Buffer.from(text)), expected, `${pattern} ${text}`);
    }
  });
});
