// Where the store's program is; in the bundle, a file beside it.
import { join } from "node:path";

export const STORE_MAIN = join(import.meta.dirname, "../../store/main.ts");
