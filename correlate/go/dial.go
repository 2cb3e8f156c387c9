package correlate

import (
	"context"
	"net"
)

// DialContext returns d's own DialContext, with each attempt to connect, including those that fail, labelled with the
// span that NewContext or Transport put into the context. It is for http.Transport's field of that
// name. With d.LocalAddr or Multipath TCP the attempts are not labelled.
func DialContext(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	if off {
		return d.DialContext
	}
	return dialContext(d)
}
