// The same on arm64, where no function can be traced on 6.1 (no fentry, no fexit).
import { describeKernel } from "./row.ts";

describeKernel("arm64", "6.1", [
  "connections: first send",
  "solisten: results of listen()",
  "correlation: contexts that are sent",
  "correlation: contexts that are received",
  "correlation: contexts that are received with a handshake's last packet",
]);
describeKernel("arm64", "6.12", []);
