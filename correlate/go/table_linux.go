package correlate

import (
	"encoding/binary"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// The layout is that of docs/context-table.md, version 1.
const (
	headerSize    = 64
	slotSize      = 256
	connectingAt  = 36
	keyAt, keyLen = 4, 36
	recordsAt     = 40
	recordSize    = 28
	ring          = 7
	flagOwnThread = 1
	processSlots  = 4096
)

type table struct {
	memory []byte
	slots  int
	// Of each slot: its writers wait for each other.
	owners []owner
}

// owner is the connection that a slot is of. The object is known by its address, which does not keep it
// alive: a second connection with the ports of the first is another.
type owner struct {
	sync.Mutex
	conn uintptr
	last SpanContext
}

// newTable returns nil if there is no memory for it.
func newTable(slots int, flags uint32) *table {
	memory, err := syscall.Mmap(-1, 0, headerSize+slots*slotSize,
		syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	copy(memory, "WSNCTXT1")
	for i, word := range []uint32{headerSize, uint32(slots), slotSize, flags} {
		binary.NativeEndian.PutUint32(memory[8+4*i:], word)
	}
	return &table{memory, slots, make([]owner, slots)}
}

func (t *table) header() []byte { return t.memory[:headerSize] }

var process = sync.OnceValue(func() *table { return newTable(processSlots, 0) })

func label(conn net.Conn, span SpanContext) {
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	remote, ok2 := conn.RemoteAddr().(*net.TCPAddr)
	t := process()
	if !ok || !ok2 || local == nil || remote == nil || t == nil {
		return
	}
	announce.due(t)
	t.write(identity(conn), local, remote, span)
}

func identity(conn net.Conn) uintptr {
	if v := reflect.ValueOf(conn); v.Kind() == reflect.Pointer {
		return v.Pointer()
	}
	return 0
}

// write has the next record of the connection's slot name span, unless it is what the last one named.
func (t *table) write(conn uintptr, local, remote *net.TCPAddr, span SpanContext) {
	var key [keyLen]byte
	if !putKey(&key, local, remote) {
		return
	}
	if !span.Valid() {
		span = SpanContext{}
	}
	i := (local.Port*31 + remote.Port) & (t.slots - 1)
	slot := t.memory[headerSize+i*slotSize:][:slotSize]
	seq := (*uint32)(unsafe.Pointer(&slot[0]))
	o := &t.owners[i]
	o.Lock()
	defer o.Unlock()
	if o.conn != conn || string(slot[keyAt:recordsAt]) != string(key[:]) {
		// A reader has nothing to end for a connection that it never found here.
		if !span.Valid() && string(slot[keyAt:recordsAt]) != string(key[:]) {
			return
		}
		atomic.StoreUint32(seq, *seq|1)
		copy(slot[keyAt:], key[:])
		clear(slot[recordsAt:])
		atomic.StoreUint32(seq, *seq+1)
		o.conn, o.last = conn, SpanContext{}
	}
	if span == o.last {
		return
	}
	record := slot[recordsAt+int(*seq/2)%ring*recordSize:][:recordSize]
	atomic.StoreUint32(seq, *seq+1)
	putRecord(record, span)
	atomic.StoreUint32(seq, *seq+1)
	o.last = span
}

func putRecord(record []byte, span SpanContext) {
	copy(record, span.TraceID[:])
	copy(record[16:], span.SpanID[:])
	record[24], record[25] = 0, span.Flags
	if span.Valid() {
		record[24] = 1
	}
}

func putKey(key *[keyLen]byte, local, remote *net.TCPAddr) bool {
	from, to := local.IP.To16(), remote.IP.To16()
	if from == nil || to == nil {
		return false
	}
	binary.NativeEndian.PutUint16(key[0:], uint16(local.Port))
	binary.NativeEndian.PutUint16(key[2:], uint16(remote.Port))
	copy(key[4:], from)
	copy(key[20:], to)
	return true
}
