package correlate

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"
)

// kernel reads the announced table when a watched connection writes, as docs/context-table.md specifies.
type kernel struct {
	sync.Mutex
	contexts         map[*watched][]SpanContext
	miss, torn, lost int
}

func newKernel() *kernel { return &kernel{contexts: map[*watched][]SpanContext{}} }

// all returns the contexts of all connections for which keep is true.
func (k *kernel) all(keep func(*watched) bool) map[SpanContext]int {
	k.Lock()
	defer k.Unlock()
	found := map[SpanContext]int{}
	for w, contexts := range k.contexts {
		if keep(w) {
			for _, c := range contexts {
				found[c]++
			}
		}
	}
	return found
}

// watched is a connection whose writes this kernel sees.
type watched struct {
	net.Conn
	kernel *kernel
	server bool
	mark   uint32
	marked bool
	// The contexts of the bytes that were written last; none if they belong to no context.
	now []SpanContext
}

func (w *watched) Write(b []byte) (int, error) {
	w.kernel.send(w)
	return w.Conn.Write(b)
}

func (k *kernel) send(w *watched) {
	k.Lock()
	defer k.Unlock()
	memory := announcedTable()
	if memory == nil {
		return
	}
	slots := int(binary.NativeEndian.Uint32(memory[12:]))
	local, remote := w.LocalAddr().(*net.TCPAddr), w.RemoteAddr().(*net.TCPAddr)
	slot := memory[64+256*((local.Port*31+remote.Port)&(slots-1)):][:256]
	at := (*uint32)(unsafe.Pointer(&slot[0]))
	seq := atomic.LoadUint32(at)
	held := [256]byte(slot)
	if int(binary.NativeEndian.Uint16(held[4:])) != local.Port || int(binary.NativeEndian.Uint16(held[6:])) != remote.Port ||
		!net.IP(held[8:24]).Equal(local.IP) || !net.IP(held[24:40]).Equal(remote.IP) {
		k.miss++
		w.now = nil
		return
	}
	if seq&1 == 1 {
		k.torn++
		w.now = nil
		return
	}
	if w.marked && seq == w.mark {
		return
	}
	fresh := uint32(7)
	emptied := binary.NativeEndian.Uint32(held[236:])
	if w.marked || emptied != 0 {
		fresh = (seq - emptied) / 2
	}
	if w.marked && (emptied == 0 || (seq-w.mark)/2 < fresh) {
		fresh = (seq - w.mark) / 2
	}
	if fresh > 7 {
		k.lost += int(fresh - 7)
		fresh = 7
	}
	w.mark, w.marked, w.now = seq, true, nil
	again := atomic.LoadUint32(at)
	for back := fresh; back > 0; back-- {
		number := (seq/2 - back) & (1<<31 - 1)
		// Overwritten once seven later writes have begun.
		if (again-seq+1)/2+back > 7 {
			continue
		}
		if c, ok := spanOf(held[40+number%7*28:]); ok && !(len(w.now) > 0 && w.now[len(w.now)-1] == c) {
			w.now = append(w.now, c)
			k.contexts[w] = append(k.contexts[w], c)
		}
	}
}

func spanOf(record []byte) (SpanContext, bool) {
	c := SpanContext{[16]byte(record[:16]), [8]byte(record[16:24]), record[25]}
	return c, record[24] == 1 && c.Valid()
}

var (
	announced     atomic.Pointer[byte]
	announcements atomic.Int64
	// By thread: the tables of flag 1.
	ownTables sync.Map
)

func announcedTable() []byte {
	if at := announced.Load(); at != nil {
		return unsafe.Slice(at, 64+256*processSlots)
	}
	return nil
}

func TestMain(m *testing.M) {
	writeHeader = func(fd int, header []byte) (int, error) {
		words := [4]uint32{}
		for i := range words {
			words[i] = binary.NativeEndian.Uint32(header[8+4*i:])
		}
		switch {
		case len(header) != 64 || string(header[:8]) != "WSNCTXT1" || words[0] != 64 || words[2] != 256:
			panic("a malformed header")
		case words[1] == processSlots && words[3] == 0:
			announced.Store(&header[0])
		case words[1] == 1 && words[3] == 1:
			ownTables.Store(syscall.Gettid(), &header[0])
		default:
			panic("a table that nobody made")
		}
		announcements.Add(1)
		return syscall.Write(fd, header)
	}
	os.Exit(m.Run())
}

func newSpan() SpanContext {
	span := SpanContext{Flags: 1}
	rand.Read(span.TraceID[:])
	rand.Read(span.SpanID[:])
	return span
}

// pair is a connection whose client's end is watched.
func pair(t *testing.T, k *kernel) (*watched, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	check(t, err)
	server, err := listener.Accept()
	check(t, err)
	t.Cleanup(func() { client.Close(); server.Close() })
	return &watched{Conn: client, kernel: k}, server
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
