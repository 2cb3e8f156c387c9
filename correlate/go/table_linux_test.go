package correlate

import (
	"context"
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"
)

// send labels and writes; the kernel must find exactly that label.
func send(t *testing.T, w *watched, span SpanContext) {
	t.Helper()
	Label(w, span)
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if !span.Valid() && len(w.now) > 0 || span.Valid() && !slices.Equal(w.now, []SpanContext{span}) {
		t.Errorf("%v instead of %v", w.now, span)
	}
}

func TestLabels(t *testing.T) {
	k := newKernel()
	w, _ := pair(t, k)
	one, other := newSpan(), newSpan()
	for _, span := range []SpanContext{{}, one, one, {}, {}, one, other, {Flags: 1}, {TraceID: one.TraceID}, {SpanID: one.SpanID}, other} {
		send(t, w, span)
	}
	if len(k.contexts[w]) != 4 {
		t.Errorf("%d contexts: the same again is no new one", len(k.contexts[w]))
	}
}

// Several records before one send, as with HTTP/2 streams.
func TestSeveralBeforeOneSend(t *testing.T) {
	k := newKernel()
	w, _ := pair(t, k)
	send(t, w, newSpan())
	for n := 1; n <= 9; n++ {
		var meant []SpanContext
		for i := 0; i < n; i++ {
			meant = append(meant, newSpan())
			Label(w, meant[i])
		}
		w.Write([]byte("x"))
		if want := meant[max(0, n-7):]; !slices.Equal(w.now, want) {
			t.Errorf("of %d: %v instead of %v", n, w.now, want)
		}
	}
	if k.lost != 1+2 {
		t.Errorf("%d lost", k.lost)
	}
}

// dial connects from a port; 0 means any.
func dial(t *testing.T, k *kernel, from int, to net.Addr) *watched {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: from}, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) })
	}}
	conn, err := d.Dial("tcp", to.String())
	check(t, err)
	conn.(*net.TCPConn).SetLinger(0) // so that its ports are free at once
	t.Cleanup(func() { conn.Close() })
	return &watched{Conn: conn, kernel: k}
}

func port(a net.Addr) int { return a.(*net.TCPAddr).Port }

// Two peers of one local port share a slot: labels are lost, but none is wrong.
func TestOneSlot(t *testing.T) {
	for _, distance := range []int{0, processSlots} {
		k := newKernel()
		a, err := net.Listen("tcp", "127.0.0.2:0")
		check(t, err)
		defer a.Close()
		b, err := net.Listen("tcp", fmt.Sprintf("127.0.0.3:%d", port(a.Addr())-distance))
		check(t, err)
		defer b.Close()
		one := dial(t, k, 0, a.Addr())
		two := dial(t, k, port(one.LocalAddr()), b.Addr())
		for i := 0; i < 200; i++ {
			send(t, one, newSpan())
			send(t, two, newSpan())
		}
		// Both label before either sends: the first label is lost.
		lost, found := newSpan(), newSpan()
		Label(one, lost)
		Label(two, found)
		one.Write([]byte("x"))
		two.Write([]byte("x"))
		if k.miss != 1 || len(one.now) > 0 || !slices.Equal(two.now, []SpanContext{found}) {
			t.Errorf("%d misses, %v and %v", k.miss, one.now, two.now)
		}
	}
}

func TestSecondConnectionWithThePortsOfTheFirst(t *testing.T) {
	k := newKernel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	from := 0
	for _, span := range []SpanContext{newSpan(), {}, newSpan(), newSpan()} {
		w := dial(t, k, from, listener.Addr())
		from = port(w.LocalAddr())
		send(t, w, span)
		send(t, w, newSpan())
		w.Close()
	}
}

// A label is not applied to the next connection with the same ports before that has its own label.
func TestSlotsOfConnectionsThatEnd(t *testing.T) {
	k := newKernel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	first := dial(t, k, 0, listener.Addr())
	slot, _ := process().slot(first.LocalAddr().(*net.TCPAddr), first.RemoteAddr().(*net.TCPAddr))
	for what, ends := range map[string]func(net.Conn){"begin": begin, "end": end} {
		send(t, first, newSpan())
		ends(first)
		first.Write([]byte("x"))
		if len(first.now) > 0 || string(slot[keyAt:emptiedAt]) != string(make([]byte, emptiedAt-keyAt)) {
			t.Errorf("%s leaves %v", what, first.now)
		}
	}
	// A later connection already owns the slot.
	send(t, first, newSpan())
	other, span := &watched{Conn: &net.TCPConn{}}, first.now[0]
	process().empty(identity(other), first.LocalAddr().(*net.TCPAddr), first.RemoteAddr().(*net.TCPAddr))
	first.Write([]byte("x"))
	if len(first.now) != 1 || first.now[0] != span {
		t.Errorf("another connection's end leaves %v", first.now)
	}
}

func TestIPv6AndMapped(t *testing.T) {
	for _, address := range []string{"[::1]:0", "[::ffff:127.0.0.1]:0"} {
		listener, err := net.Listen("tcp", address)
		check(t, err)
		conn, err := net.Dial("tcp", listener.Addr().String())
		check(t, err)
		send(t, &watched{Conn: conn, kernel: newKernel()}, newSpan())
		conn.Close()
		listener.Close()
	}
}

func TestOtherConnections(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	Label(a, newSpan())
	udp, err := net.Dial("udp", "127.0.0.1:9")
	check(t, err)
	Label(udp, newSpan())
	Label(&net.TCPConn{}, newSpan())
	udp.Close()
}

// The number of writes wraps, and labels continue to work.
func TestNumbersGoRound(t *testing.T) {
	w, _ := pair(t, newKernel())
	send(t, w, newSpan())
	i := (port(w.LocalAddr())*31 + port(w.RemoteAddr())) & (processSlots - 1)
	seq := (*uint32)(unsafe.Pointer(&process().memory[64+256*i]))
	*seq, w.mark = ^uint32(0)-21, ^uint32(0)-21
	binary.NativeEndian.PutUint32(process().memory[64+256*i+emptiedAt:], *seq)
	for i := 0; i < 40; i++ {
		send(t, w, newSpan())
	}
	if *seq > 100 {
		t.Errorf("%d", *seq)
	}
}

// A reader must see the odd number first while a slot is written. On x86-64 plain stores are ordered as
// well, so no reader sees the difference there, and the race detector does not examine memory from mmap(), so the
// test examines the source.
func TestNumbersAreStoredAtomically(t *testing.T) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "table_linux.go", nil, 0)
	check(t, err)
	atomics := 0
	stored := func(to ast.Expr) {
		if _, ok := to.(*ast.StarExpr); ok {
			t.Errorf("%s: a plain store", files.Position(to.Pos()))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IncDecStmt:
			stored(n.X)
		case *ast.AssignStmt:
			for _, to := range n.Lhs {
				stored(to)
			}
		case *ast.SelectorExpr:
			if n.Sel.Name == "StoreUint32" {
				atomics++
			}
		}
		return true
	})
	if atomics != 4 {
		t.Errorf("%d atomic stores: two for a slot that is taken over, and two for a record", atomics)
	}
}

// Connections of one slot on several threads: a reader never finds another connection's label.
func TestTornReads(t *testing.T) {
	k := newKernel()
	a, err := net.Listen("tcp", "127.0.0.2:0")
	check(t, err)
	defer a.Close()
	b, err := net.Listen("tcp", fmt.Sprintf("127.0.0.3:%d", port(a.Addr())))
	check(t, err)
	defer b.Close()
	one := dial(t, k, 0, a.Addr())
	ends := []*watched{one, dial(t, k, port(one.LocalAddr()), b.Addr())}
	var stop atomic.Bool
	var writers sync.WaitGroup
	for i, w := range ends {
		writers.Add(1)
		go func(i byte, w *watched) {
			defer writers.Done()
			for n := byte(1); !stop.Load(); n++ {
				// Every byte of a record is determined by one of them.
				span := SpanContext{Flags: n}
				for at := range span.TraceID {
					span.TraceID[at] = n | 1
				}
				for at := range span.SpanID {
					span.SpanID[at] = i + 1
				}
				Label(w, span)
			}
		}(byte(i), w)
	}
	for n := 0; n < 20000; n++ {
		for i, w := range ends {
			k.send(w)
			for _, span := range w.now {
				for _, octet := range span.TraceID {
					if octet != span.Flags|1 || span.SpanID[0] != byte(i+1) {
						t.Fatalf("%v for connection %d", span, i)
					}
				}
			}
		}
		clear(k.contexts)
	}
	stop.Store(true)
	writers.Wait()
	t.Logf("%d misses, %d torn, %d lost", k.miss, k.torn, k.lost)
}

func TestAnnouncements(t *testing.T) {
	w, _ := pair(t, newKernel())
	send(t, w, newSpan())
	before, out := announcements.Load(), announce.out
	for i := 0; i < 1000; i++ {
		announce.next.Store(1)
		send(t, w, newSpan())
		send(t, w, newSpan())
	}
	if n := announcements.Load() - before; n != 1000 {
		t.Errorf("%d announcements instead of 1000", n)
	}
	if announce.out != out {
		t.Error("the connection was replaced")
	}
	announce.in.Close()
	announce.next.Store(1)
	send(t, w, newSpan())
	if n := announcements.Load() - before; n != 1001 || announce.out == out {
		t.Errorf("%d announcements after the connection was lost", n)
	}
}

func TestAnnouncedBeforeFirstByte(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	for name, prepare := range map[string]func(){
		"Transport": func() { Transport(nil, TraceParent) },
		"DialContext": func() {
			conn, err := DialContext(&net.Dialer{})(context.Background(), "tcp", listener.Addr().String())
			check(t, err)
			conn.Close()
		},
		"Server": func() {
			server := &http.Server{}
			Server(server)
			client, conn := net.Pipe()
			client.Close()
			server.ConnState(named{conn, listener.Addr()}, http.StateNew)
		},
	} {
		before := announcements.Load()
		announce.next.Store(0)
		prepare()
		if n := announcements.Load() - before; n != 1 {
			t.Errorf("%s: %d announcements instead of 1", name, n)
		}
	}
}

// named is a connection with the given addresses.
type named struct {
	net.Conn
	addr net.Addr
}

func (n named) LocalAddr() net.Addr  { return n.addr }
func (n named) RemoteAddr() net.Addr { return n.addr }

func TestOff(t *testing.T) {
	if os.Getenv("WIRESPAN_CORRELATE") != "" {
		w, _ := pair(t, newKernel())
		Label(w, newSpan())
		if announcements.Load() != 0 || Transport(nil, TraceParent) != nil || Handler(nil, TraceParent) != nil {
			t.Error("on")
		}
		return
	}
	child := exec.Command(os.Args[0], "-test.run", "^TestOff$", "-test.v")
	child.Env = append(os.Environ(), "WIRESPAN_CORRELATE=off")
	said, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "--- PASS: TestOff") {
		t.Errorf("%v\n%s", err, said)
	}
}

func BenchmarkLabel(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	spans := [2]SpanContext{newSpan(), newSpan()}
	b.Run("new", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			Label(conn, spans[i&1])
		}
	})
	b.Run("same", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			Label(conn, spans[0])
		}
	})
}
