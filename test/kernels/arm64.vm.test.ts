// The same on arm64, where 6.1 lets no functions be watched.
import { describeKernel } from "./row.ts";

describeKernel("arm64", "6.1", ["connections: first send", "solisten: results of listen()"]);
describeKernel("arm64", "6.12", []);
