package correlate

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const interval = 10 * time.Second

var started = time.Now()

// announcer announces a table to the kernel program by writing its header to a loopback connection
// to the process itself, which stays open. It writes before a connection's first byte and just before a label, if it is due,
// not on a goroutine of its own: only then is an announcement needed.
type announcer struct {
	// For the process's table: nanoseconds since the start after which it is announced again, 0 if it never was.
	next atomic.Int64
	sync.Mutex
	out, in *net.TCPConn
}

var announce announcer

// due announces t, the process's table, if it is time to.
func (a *announcer) due(t *table) {
	next := a.next.Load()
	now := int64(time.Since(started))
	if now < next {
		return
	}
	if next == 0 {
		// Nothing is sent before the kernel program can know.
		a.Lock()
	} else if !a.TryLock() {
		return
	}
	defer a.Unlock()
	if a.next.Load() == next {
		a.write(t.header())
		a.next.Store(now + int64(interval))
	}
}

// write sends the header in the calling thread, over a new connection if there is none or it has failed.
// It must not run concurrently.
func (a *announcer) write(header []byte) {
	for range [2]int{} {
		if a.out == nil && a.connect() != nil {
			return
		}
		if a.send(header) == nil {
			return
		}
		a.out.Close()
		a.in.Close()
		a.out = nil
	}
}

func (a *announcer) connect() error {
	const timeout = 100 * time.Millisecond
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		defer listener.Close()
		listener.(*net.TCPListener).SetDeadline(time.Now().Add(timeout))
		out, err := net.DialTimeout("tcp", listener.Addr().String(), timeout)
		if err != nil {
			continue
		}
		in, err := listener.Accept()
		if err == nil && in.RemoteAddr().String() == out.LocalAddr().String() {
			a.out, a.in = out.(*net.TCPConn), in.(*net.TCPConn)
			return nil
		}
		if err == nil {
			in.Close() // another process's
		}
		out.Close()
	}
	return errors.New("no loopback connection")
}

// send empties the receiving end and writes the header from its place in the table.
func (a *announcer) send(header []byte) error {
	var drop [4096]byte
	if err := control(a.in, func(fd int) error {
		for {
			if n, err := syscall.Read(fd, drop[:]); n <= 0 {
				if err == syscall.EAGAIN {
					return nil
				}
				return errors.Join(err, net.ErrClosed)
			}
		}
	}); err != nil {
		return err
	}
	return control(a.out, func(fd int) error {
		n, err := writeHeader(fd, header)
		if err == nil && n != len(header) {
			err = net.ErrClosed
		}
		return err
	})
}

// Replaced by tests, to observe announcements.
var writeHeader = syscall.Write

// control calls do with the connection's descriptor.
func control(conn *net.TCPConn, do func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := raw.Control(func(fd uintptr) { result = do(int(fd)) }); err != nil {
		return err
	}
	return result
}
