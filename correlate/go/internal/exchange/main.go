// Command exchange communicates with itself over labelled connections, for tests that trace it from the kernel. It
// prints, as JSON, the spans of the bytes of each connection's end, in order, by local and remote port,
// and those of refused attempts to connect.
// usage: exchange http|https|h2 CLIENTS REQUESTS REFUSED [CERTIFICATE KEY]
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"sync"

	"wirespan.invalid/correlate"
)

type account struct {
	sync.Mutex
	Meant   map[string][]string `json:"meant"`
	Refused []string            `json:"refused"`
}

func (a *account) add(conn net.Conn, span string) {
	local, remote := conn.LocalAddr().(*net.TCPAddr), conn.RemoteAddr().(*net.TCPAddr)
	a.Lock()
	defer a.Unlock()
	key := fmt.Sprintf("%d-%d", local.Port, remote.Port)
	a.Meant[key] = append(a.Meant[key], span)
}

func main() {
	if len(os.Args) < 5 {
		fail(fmt.Errorf("usage: exchange http|https|h2 CLIENTS REQUESTS REFUSED [CERTIFICATE KEY]"))
	}
	mode := os.Args[1]
	said := &account{Meant: map[string][]string{}}
	url, stop := serve(mode, said)
	clients := number(os.Args[2])
	base := &http.Transport{
		DialContext:         correlate.DialContext(&net.Dialer{}),
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2:   mode == "h2",
		MaxConnsPerHost:     clients,
		MaxIdleConnsPerHost: clients,
	}
	client := &http.Client{Transport: correlate.Transport(base, correlate.TraceParent)}
	var all sync.WaitGroup
	for i := 0; i < clients; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < number(os.Args[3]); i++ {
				request(client, url, said)
			}
		}()
	}
	all.Wait()
	// Nothing listens on port 1.
	for i := 0; i < number(os.Args[4]); i++ {
		span := newSpan()
		said.Refused = append(said.Refused, span)
		r, _ := http.NewRequest("GET", "http://127.0.0.1:1/", nil)
		r.Header.Set("traceparent", span)
		if _, err := client.Do(r); err == nil {
			fail(fmt.Errorf("port 1 answers"))
		}
	}
	client.CloseIdleConnections()
	stop()
	fail(json.NewEncoder(os.Stdout).Encode(said))
}

func serve(mode string, said *account) (url string, stop func()) {
	type key struct{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said.add(r.Context().Value(key{}).(net.Conn), r.Header.Get("traceparent"))
		io.WriteString(w, "ok")
	})
	server := &http.Server{
		Handler:     correlate.Handler(handler, correlate.TraceParent),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context { return context.WithValue(ctx, key{}, conn) },
	}
	correlate.Server(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	scheme := "https"
	switch mode {
	case "http":
		scheme = "http"
		go server.Serve(listener)
	case "https":
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
		fallthrough
	default:
		go server.ServeTLS(listener, os.Args[5], os.Args[6])
	}
	return scheme + "://" + listener.Addr().String(), func() { server.Close() }
}

func request(client *http.Client, url string, said *account) {
	span := newSpan()
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { said.add(got.Conn, span) },
	})
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	fail(err)
	r.Header.Set("traceparent", span)
	response, err := client.Do(r)
	fail(err)
	_, err = io.Copy(io.Discard, response.Body)
	fail(err)
	response.Body.Close()
}

func newSpan() string {
	var ids [24]byte
	rand.Read(ids[:])
	return fmt.Sprintf("00-%x-%x-01", ids[:16], ids[16:])
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	fail(err)
	return n
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
