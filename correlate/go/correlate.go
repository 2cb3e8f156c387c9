// Package correlate shows the wirespan agent which span the bytes of a TCP connection belong to, so
// that what the kernel does with them becomes part of the application's own trace.
//
// It writes a table in the process's own memory, which the agent's kernel program reads when the process
// sends; nothing is added to what is sent. On systems other than Linux, and with WIRESPAN_CORRELATE=off
// in the environment, it does nothing.
package correlate

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"os"
	"strings"
)

// SpanContext identifies a span.
type SpanContext struct {
	TraceID [16]byte
	SpanID  [8]byte
	// Flags are those of W3C Trace Context: 1 is "sampled".
	Flags byte
}

// Valid reports whether neither id is zero.
func (c SpanContext) Valid() bool {
	return c.TraceID != [16]byte{} && c.SpanID != [8]byte{}
}

var off = strings.EqualFold(strings.TrimSpace(os.Getenv("WIRESPAN_CORRELATE")), "off")

// Label names the span of all bytes that are written to conn from now on. If the span is not valid,
// the bytes have no context. It returns at once, and does nothing if conn is neither a TCP
// connection nor TLS over one.
func Label(conn net.Conn, span SpanContext) {
	if !off {
		label(conn, span)
	}
}

// Current returns the span of a request, or an invalid one if it has none.
type Current func(*http.Request) SpanContext

// TraceParent returns the span that the request's traceparent header names: in a client that of the request
// itself, in a server the caller's.
func TraceParent(r *http.Request) SpanContext {
	var span SpanContext
	var version, flags [1]byte
	text := r.Header.Get("traceparent")
	if len(text) < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return SpanContext{}
	}
	for _, part := range []struct {
		to   []byte
		text string
	}{{version[:], text[:2]}, {span.TraceID[:], text[3:35]}, {span.SpanID[:], text[36:52]}, {flags[:], text[53:55]}} {
		if _, err := hex.Decode(part.to, []byte(part.text)); err != nil {
			return SpanContext{}
		}
	}
	// Later versions may append fields.
	if version[0] == 0xff || len(text) > 55 && (version[0] == 0 || text[55] != '-') {
		return SpanContext{}
	}
	span.Flags = flags[0]
	return span
}

type spanKey struct{}

// NewContext returns a context for dialing on behalf of span, for the function that DialContext returns.
func NewContext(ctx context.Context, span SpanContext) context.Context {
	return context.WithValue(ctx, spanKey{}, span)
}

func fromContext(ctx context.Context) SpanContext {
	span, _ := ctx.Value(spanKey{}).(SpanContext)
	return span
}
