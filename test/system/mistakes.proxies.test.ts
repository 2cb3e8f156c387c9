// Mistakes with proxies between exporters and their backends.
import { describeMistakes, proxy, said, unused } from "../support/mistakes.ts";

describeMistakes("proxies", {
  "a proxy that does not answer": async () => {
    const at = `127.0.0.1:${await unused()}`;
    return {
      settings: 'type: otlp_http, endpoint: "https://collector.example"',
      env: { HTTPS_PROXY: `http://user:secret@${at}` },
      code: 7,
      says: said(
        "https://collector.example/v1/traces",
        `not accepted: the proxy http://${at} (HTTPS_PROXY) does not answer: connect ECONNREFUSED ${at}; start it, or bypass it with NO_PROXY=collector.example`,
      ),
    };
  },
  "a proxy that wants a password": async () => {
    const at = `127.0.0.1:${await proxy("407 Proxy Authentication Required")}`;
    return {
      settings: 'type: otlp_grpc, endpoint: "https://collector.example:4317"',
      env: { https_proxy: at },
      code: 7,
      says: said(
        "https://collector.example:4317",
        `not accepted: the proxy http://${at} answered CONNECT with 407 Proxy Authentication Required; it requires a user and password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT (HTTP_PROXY for an http:// endpoint)`,
      ),
    };
  },
  "a proxy that lets nobody through": async () => {
    const at = `127.0.0.1:${await proxy("403 Forbidden")}`;
    return {
      settings: 'type: otlp_grpc, endpoint: "http://collector.example:4317"',
      env: { HTTP_PROXY: `http://${at}` },
      code: 7,
      says: said(
        "http://collector.example:4317",
        `not accepted: the proxy http://${at} answered CONNECT with 403 Forbidden; allow collector.example:4317 there, or bypass the proxy with NO_PROXY=collector.example`,
      ),
    };
  },
  "a proxy that is not of HTTP": async () => ({
    settings: 'type: otlp_http, endpoint: "https://collector.example"',
    env: { HTTPS_PROXY: "socks5://user:secret@proxy:1080" },
    code: 2,
    says: 'wirespan: HTTPS_PROXY: "socks5://proxy:1080" is not an HTTP proxy such as http://proxy.example:3128; NO_PROXY=collector.example bypasses it',
  }),
});
