package correlate

import (
	"context"
	"net"
)

// DialContext returns d's own DialContext, with each attempt to connect, also one that fails, named as the
// span's that the context was given by NewContext or by Transport. It is for http.Transport's field of that
// name. With d.LocalAddr or Multipath TCP the attempts are not named.
func DialContext(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	if off {
		return d.DialContext
	}
	return dialContext(d)
}
