// Loaded before the addon's tests: they get the build with AddressSanitizer and UBSan in its place.
import { registerHooks } from "node:module";

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier === "./build/wirespan.node" ? "./build/sanitize/wirespan.node" : specifier, context),
});
