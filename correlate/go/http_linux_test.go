package correlate

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

const clients, each = 4, 100

type watchedListener struct {
	net.Listener
	kernel *kernel
}

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watched{Conn: conn, kernel: l.kernel, server: true}, nil
}

func (s SpanContext) String() string {
	return fmt.Sprintf("00-%x-%x-%02x", s.TraceID, s.SpanID, s.Flags)
}

// serve starts a server that answers on labelled connections; client is a client for it, through Transport.
func serve(t *testing.T, k *kernel, mode string, h http.Handler) (url string, client *http.Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Listener = watchedListener{server.Listener, k}
	Server(server.Config)
	server.EnableHTTP2 = mode == "h2"
	if mode == "http" {
		server.Start()
	} else {
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	base := server.Client().Transport.(*http.Transport)
	base.MaxConnsPerHost, base.MaxIdleConnsPerHost = clients, clients
	dial := DialContext(&net.Dialer{})
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &watched{Conn: conn, kernel: k}, nil
	}
	return server.URL, &http.Client{Transport: Transport(base, TraceParent)}
}

func get(t *testing.T, client *http.Client, url string, span SpanContext) string {
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	if span.Valid() {
		r.Header.Set("traceparent", span.String())
	}
	response, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	return response.Proto
}

func same(t *testing.T, what string, found, meant map[SpanContext]int) {
	t.Helper()
	missing, foreign := 0, 0
	for span := range meant {
		if found[span] != 1 {
			missing++
		}
	}
	for span := range found {
		if meant[span] == 0 {
			foreign++
		}
	}
	if missing+foreign > 0 || len(meant) != clients*each {
		t.Errorf("%s: of %d spans %d not found once, %d foreign", what, len(meant), missing, foreign)
	}
}

func ofClient(w *watched) bool { return !w.server }
func ofServer(w *watched) bool { return w.server }

func TestRequests(t *testing.T) {
	for mode, proto := range map[string]string{"http": "HTTP/1.1", "https": "HTTP/1.1", "h2": "HTTP/2.0"} {
		t.Run(mode, func(t *testing.T) {
			k := newKernel()
			url, client := serve(t, k, mode, Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "ok")
			}), TraceParent))
			meant := map[SpanContext]int{}
			var lock sync.Mutex
			var all sync.WaitGroup
			for i := 0; i < clients; i++ {
				all.Add(1)
				go func() {
					defer all.Done()
					for i := 0; i < each; i++ {
						span := newSpan()
						if spoken := get(t, client, url, span); spoken != proto {
							t.Errorf("spoke %s", spoken)
						}
						lock.Lock()
						meant[span]++
						lock.Unlock()
					}
				}()
			}
			all.Wait()
			same(t, "client", k.all(ofClient), meant)
			same(t, "server", k.all(ofServer), meant)
			if k.lost+k.torn > 0 {
				t.Errorf("%d lost, %d torn", k.lost, k.torn)
			}
		})
	}
}

// On one connection, some requests have no span, and some responses no Handler.
func TestRequestsWithoutSpan(t *testing.T) {
	for _, mode := range []string{"http", "https", "h2"} {
		t.Run(mode, func(t *testing.T) {
			k := newKernel()
			ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
			mux := http.NewServeMux()
			mux.Handle("/labelled", Handler(ok, TraceParent))
			mux.Handle("/", ok)
			url, client := serve(t, k, mode, mux)
			for i := 0; i < 30; i++ {
				span, path := newSpan(), "/labelled"
				if i%2 == 0 {
					span = SpanContext{}
				}
				if i%3 == 0 {
					path = "/"
				}
				get(t, client, url+path, span)
				k.Lock()
				for w := range k.contexts {
					want := span
					if w.server && i%3 == 0 {
						want = SpanContext{}
					}
					if got := append(w.now, SpanContext{})[0]; got != want {
						t.Errorf("request %d, server %v: %v instead of %v", i, w.server, got, want)
					}
				}
				if len(k.contexts) > 2 || i > 2 && len(k.contexts) < 2 {
					t.Errorf("%d connections", len(k.contexts))
				}
				k.Unlock()
			}
		})
	}
}

func TestServerKeepsHooks(t *testing.T) {
	var states, contexts int
	type key struct{}
	server := httptest.NewUnstartedServer(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(key{}) == nil {
			t.Error("the context of ConnContext is gone")
		}
	}), TraceParent))
	server.Config.ConnState = func(net.Conn, http.ConnState) { states++ }
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		contexts++
		return context.WithValue(ctx, key{}, 1)
	}
	Server(server.Config)
	server.Start()
	get(t, server.Client(), server.URL, newSpan())
	server.Close()
	if states == 0 || contexts != 1 {
		t.Errorf("%d states, %d contexts", states, contexts)
	}
}

func TestTraceParent(t *testing.T) {
	span := newSpan()
	ok := span.String()
	for text, want := range map[string]SpanContext{
		ok:                      span,
		"":                      {},
		ok[:54]:                 {},
		ok + "-x":               {},
		"01" + ok[2:] + "-x":    span,
		"01" + ok[2:] + "x":     {},
		"ff" + ok[2:]:           {},
		"0g" + ok[2:]:           {},
		ok[:53] + "zz":          {},
		ok[:35] + "_" + ok[36:]: {},
	} {
		r := &http.Request{Header: http.Header{"Traceparent": {text}}}
		if got := TraceParent(r); got != want {
			t.Errorf("%q: %v instead of %v", text, got, want)
		}
	}
}
