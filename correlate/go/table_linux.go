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
	emptiedAt     = 236
	ring          = 7
	flagOwnThread = 1
	processSlots  = 4096
)

type table struct {
	memory []byte
	slots  int
	// One for each slot, so that its writers wait for each other.
	owners []owner
}

// owner is the connection that owns a slot. The object is identified by its address, which does not keep it
// alive: a second connection with the ports of the first is a different one.
type owner struct {
	sync.Mutex
	conn uintptr
	last SpanContext
}

// newTable returns nil if there is not enough memory.
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
	if local, remote, ok := addresses(conn); ok {
		t := process()
		announce.due(t)
		t.write(identity(conn), local, remote, span)
	}
}

// begin is called for a connection on which no byte has been written yet: it removes what its slot says of an earlier one with the
// same addresses and ports. The table is announced before that first byte: a reader that first sees the connection
// later uses only the last of its labels.
func begin(conn net.Conn) {
	if local, remote, ok := addresses(conn); ok {
		announceProcess()
		process().empty(0, local, remote)
	}
}

func announceProcess() {
	if t := process(); t != nil {
		announce.due(t)
	}
}

// end is called for a closed connection.
func end(conn net.Conn) {
	if local, remote, ok := addresses(conn); ok {
		process().empty(identity(conn), local, remote)
	}
}

// addresses returns false if there is no slot for the connection.
func addresses(conn net.Conn) (local, remote *net.TCPAddr, ok bool) {
	local, isTCP := conn.LocalAddr().(*net.TCPAddr)
	remote, ok = conn.RemoteAddr().(*net.TCPAddr)
	return local, remote, isTCP && ok && local != nil && remote != nil && process() != nil
}

func identity(conn net.Conn) uintptr {
	if v := reflect.ValueOf(conn); v.Kind() == reflect.Pointer {
		return v.Pointer()
	}
	return 0
}

// slot returns the slot of these ports, with its owner.
func (t *table) slot(local, remote *net.TCPAddr) ([]byte, *owner) {
	i := (local.Port*31 + remote.Port) & (t.slots - 1)
	return t.memory[headerSize+i*slotSize:][:slotSize], &t.owners[i]
}

// takeOver assigns the slot to a connection, without any record. The owner must be locked.
func (o *owner) takeOver(slot []byte, key *[keyLen]byte, conn uintptr) {
	seq := seqOf(slot)
	atomic.StoreUint32(seq, *seq|1)
	copy(slot[keyAt:], key[:])
	clear(slot[recordsAt:])
	binary.NativeEndian.PutUint32(slot[emptiedAt:], *seq+1)
	atomic.StoreUint32(seq, *seq+1)
	o.conn, o.last = conn, SpanContext{}
}

func seqOf(slot []byte) *uint32 { return (*uint32)(unsafe.Pointer(&slot[0])) }

func isSlotOf(slot []byte, key *[keyLen]byte) bool {
	return string(slot[keyAt:recordsAt]) == string(key[:])
}

// empty leaves the connection's slot without an owner if this connection owns it, or, if conn is 0, whichever connection owns it.
func (t *table) empty(conn uintptr, local, remote *net.TCPAddr) {
	var key, nobody [keyLen]byte
	if !putKey(&key, local, remote) {
		return
	}
	slot, o := t.slot(local, remote)
	o.Lock()
	defer o.Unlock()
	if isSlotOf(slot, &key) && (conn == 0 || o.conn == conn) {
		o.takeOver(slot, &nobody, 0)
	}
}

// write makes the next record of the connection's slot name span, unless the last one already does.
func (t *table) write(conn uintptr, local, remote *net.TCPAddr, span SpanContext) {
	var key [keyLen]byte
	if !putKey(&key, local, remote) {
		return
	}
	if !span.Valid() {
		span = SpanContext{}
	}
	slot, o := t.slot(local, remote)
	o.Lock()
	defer o.Unlock()
	if o.conn != conn || !isSlotOf(slot, &key) {
		// For a connection that a reader never found here, it has nothing to end.
		if !span.Valid() && !isSlotOf(slot, &key) {
			return
		}
		o.takeOver(slot, &key, conn)
	}
	if span == o.last {
		return
	}
	seq := seqOf(slot)
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
