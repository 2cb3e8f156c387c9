/** All that programs of ours are given of the environment. Without the cache a start takes three times as long. */
export const environment: Readonly<Record<string, string | undefined>> = {
  PATH: process.env.PATH,
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
};
