// Authorities and certificates for tests, made by openssl.
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export function hasOpenssl(): boolean {
  return spawnSync("openssl", ["version"]).status === 0;
}

export class Certificates {
  readonly folder: string;

  /** Each call creates `NAME.pem` and `NAME.key` in `folder`. */
  constructor(folder: string) {
    this.folder = folder;
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  authority(name: string): void {
    this.#openssl(
      "req",
      "-x509",
      ...EC,
      "-days",
      "2",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-subj",
      `/CN=${name}`,
    );
  }

  /** A certificate from an existing authority, for 127.0.0.1 and localhost unless `names` says otherwise. */
  leaf(name: string, authority: string, names = "IP:127.0.0.1,DNS:localhost"): void {
    this.#request(name, names);
    const by = ["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial"];
    this.#openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      ...by,
      "-days",
      "2",
      "-copy_extensions",
      "copy",
      "-out",
      `${name}.pem`,
    );
  }

  /** A certificate that was valid for one day in 2020. */
  expired(name: string, authority: string): void {
    this.#request(name, "IP:127.0.0.1,DNS:localhost");
    writeFileSync(this.path("index.txt"), "");
    writeFileSync(
      this.path("ca.cnf"),
      "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nrand_serial=yes\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n",
    );
    const dates = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"];
    const by = ["-cert", `${authority}.pem`, "-keyfile", `${authority}.key`];
    this.#openssl(
      "ca",
      "-batch",
      "-config",
      "ca.cnf",
      "-in",
      `${name}.csr`,
      "-out",
      `${name}.pem`,
      ...dates,
      ...by,
    );
  }

  /** Writes the key of `name`, protected by a passphrase, to `NAME.locked`. */
  lock(name: string): void {
    this.#openssl(
      "pkcs8",
      "-topk8",
      "-in",
      `${name}.key`,
      "-out",
      `${name}.locked`,
      "-passout",
      "pass:secret",
    );
  }

  #request(name: string, names: string): void {
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`];
    this.#openssl("req", ...EC, "-keyout", `${name}.key`, "-out", `${name}.csr`, ...subject);
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { cwd: this.folder, stdio: "pipe" });
  }
}
