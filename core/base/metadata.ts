// tsyringe refuses to load without the metadata API of decorators, which it needs for decorated classes only. We have
// none, so an API without metadata will do. Tests: container.test.ts.
const metadata = { getMetadata: () => undefined };

if (!("getMetadata" in Reflect)) Object.assign(Reflect, metadata);
