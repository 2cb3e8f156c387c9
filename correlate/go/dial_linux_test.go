package correlate

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// watchConnects collects the spans that are named when connect() is called, as the kernel finds them.
func watchConnects(t *testing.T) *[]SpanContext {
	var seen []SpanContext
	call := connectCall
	connectCall = func(fd int, to syscall.Sockaddr) error {
		span := SpanContext{}
		if at, ok := ownTables.Load(syscall.Gettid()); ok {
			span, _ = spanOf(unsafe.Slice(at.(*byte), 64)[36:])
		}
		seen = append(seen, span)
		return call(fd, to)
	}
	t.Cleanup(func() { connectCall = call })
	return &seen
}

// refusing is an address on which nothing listens.
func refusing(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func TestRefusedConnects(t *testing.T) {
	seen := watchConnects(t)
	address := refusing(t)
	_, plain := (&net.Dialer{}).Dial("tcp", address)
	dial := DialContext(&net.Dialer{})
	meant := map[SpanContext]int{}
	var lock sync.Mutex
	var all sync.WaitGroup
	for i := 0; i < 100; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			span := newSpan()
			_, err := dial(NewContext(context.Background(), span), "tcp", address)
			if !errors.Is(err, syscall.ECONNREFUSED) || err.Error() != plain.Error() {
				t.Errorf("%v instead of %v", err, plain)
			}
			lock.Lock()
			meant[span]++
			lock.Unlock()
		}()
	}
	all.Wait()
	if len(*seen) != 100 {
		t.Errorf("%d connects of 100", len(*seen))
	}
	for _, span := range *seen {
		if meant[span]--; meant[span] != 0 {
			t.Errorf("%v: not once", span)
		}
	}
	ownTables.Range(func(_, at any) bool {
		if span, ok := spanOf(unsafe.Slice(at.(*byte), 64)[36:]); ok {
			t.Errorf("%v is still named", span)
		}
		return true
	})
}

func TestConnects(t *testing.T) {
	seen := watchConnects(t)
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0"} {
		listener, err := net.Listen("tcp", address)
		check(t, err)
		controlled := 0
		dial := DialContext(&net.Dialer{Control: func(_, _ string, _ syscall.RawConn) error { controlled++; return nil }})
		for i := 0; i < 20; i++ {
			span := newSpan()
			conn, err := dial(NewContext(context.Background(), span), "tcp", listener.Addr().String())
			check(t, err)
			if got := (*seen)[len(*seen)-1]; got != span {
				t.Errorf("%v instead of %v", got, span)
			}
			server, err := listener.Accept()
			check(t, err)
			if server.RemoteAddr().String() != conn.LocalAddr().String() {
				t.Error("more than one connection")
			}
			server.Write([]byte("x"))
			if n, err := conn.Read(make([]byte, 9)); n != 1 || err != nil {
				t.Errorf("%d %v", n, err)
			}
			conn.Close()
			server.Close()
		}
		if controlled != 20 {
			t.Errorf("Control was called %d times", controlled)
		}
		listener.Close()
	}
	if len(*seen) != 60 {
		t.Errorf("%d connects", len(*seen))
	}
}

func TestConnectsThatAreNotNamed(t *testing.T) {
	seen := watchConnects(t)
	address := refusing(t)
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	DialContext(&net.Dialer{LocalAddr: local})(NewContext(context.Background(), newSpan()), "tcp", address)
	DialContext(&net.Dialer{})(context.Background(), "tcp", address)
	DialContext(&net.Dialer{})(NewContext(context.Background(), newSpan()), "udp", address)
	if len(*seen) != 0 {
		t.Errorf("%d named", len(*seen))
	}
}

// Attempts to connect have the span of the request that waits for them.
func TestTransportNamesConnects(t *testing.T) {
	seen := watchConnects(t)
	base := &http.Transport{DialContext: DialContext(&net.Dialer{})}
	client := &http.Client{Transport: Transport(base, TraceParent)}
	var meant []SpanContext
	url := "http://" + refusing(t)
	for i := 0; i < 20; i++ {
		r, err := http.NewRequest("GET", url, nil)
		check(t, err)
		meant = append(meant, newSpan())
		r.Header.Set("traceparent", meant[i].String())
		if _, err := client.Do(r); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v", err)
		}
	}
	for i, span := range *seen {
		if i >= len(meant) || span != meant[i] {
			t.Errorf("connect %d: %v", i, span)
		}
	}
	if len(*seen) != len(meant) {
		t.Errorf("%d connects", len(*seen))
	}
}
