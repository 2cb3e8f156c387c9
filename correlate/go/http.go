package correlate

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
)

// Transport labels the requests that go through base with the span that current returns for each. Whatever
// starts the spans or sets the header has to come first: otelhttp.NewTransport(correlate.Transport(base, ...)).
func Transport(base http.RoundTripper, current Current) http.RoundTripper {
	if off {
		return base
	}
	announceProcess()
	return &transport{base, current}
}

type transport struct {
	base    http.RoundTripper
	current Current
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	span := t.current(r)
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { Label(got.Conn, span) },
	})
	return t.base.RoundTrip(r.WithContext(NewContext(ctx, span)))
}

// CloseIdleConnections closes the idle connections of base, if base supports it; http.Client calls it.
func (t *transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

type connKey struct{}

// Server prepares s for Handler. Call it before s serves, and after setting its ConnContext and ConnState,
// if any: they are still called.
func Server(s *http.Server) {
	if off {
		return
	}
	connContext, connState := s.ConnContext, s.ConnState
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if connContext != nil {
			ctx = connContext(ctx, conn)
		}
		return context.WithValue(ctx, connKey{}, conn)
	}
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			begin(conn)
		case http.StateActive:
			// This request may never reach Handler.
			Label(conn, SpanContext{})
		case http.StateClosed:
			end(conn)
		}
		if connState != nil {
			connState(conn, state)
		}
	}
}

// Handler labels the responses of h with the span that current returns for the request. It needs a
// server that was prepared by Server. If current returns spans that a handler starts, that handler comes first:
// otelhttp.NewHandler(correlate.Handler(h, ...)).
func Handler(h http.Handler, current Current) http.Handler {
	if off {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			Label(conn, current(r))
		}
		h.ServeHTTP(w, r)
	})
}
