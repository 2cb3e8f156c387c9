// Where the store's program is; in the bundle, a file next to it.
import { join } from "node:path";

export const STORE_MAIN = join(import.meta.dirname, "../../store/main.ts");
