package availability

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// InProcess starts a Redis inside this process and returns a client of it. It listens
// nowhere: its only connections are made here, in memory, so nobody from outside can
// reach it. It is empty at every start, which the view heals from. Closing the closer ends
// the client as well.
func InProcess() (*redis.Client, io.Closer, error) {
	server := miniredis.NewMiniRedis()
	// Dial is what starts it without a listener. Its connection is not used: it has no
	// buffer, and a pipeline longer than the server's would wait for itself.
	first, err := server.Dial()
	if err != nil {
		return nil, nil, err
	}
	_ = first.Close()
	client := redis.NewClient(&redis.Options{
		Addr: "in-process",
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			srv := server.Server()
			if srv == nil {
				return nil, net.ErrClosed
			}
			ours, theirs := newDuplex()
			srv.ServeConn(theirs)
			return ours, nil
		},
		// -2: no deadlines. The other end is a map in this process.
		ReadTimeout: -2, WriteTimeout: -2,
		Protocol:   2,
		MaxRetries: -1,
	})
	e := &inProcess{server: server, client: client, stop: make(chan struct{}), done: make(chan struct{})}
	go e.age()
	return client, e, nil
}

type inProcess struct {
	server *miniredis.Miniredis
	client *redis.Client
	once   sync.Once
	stop   chan struct{}
	done   chan struct{}
}

// agingEvery is how often keys past their time are dropped. This Redis could follow the
// clock by itself, but then walks all keys at every command.
const agingEvery = time.Hour

func (e *inProcess) age() {
	defer close(e.done)
	tick := time.NewTicker(agingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.server.FastForward(agingEvery)
		case <-e.stop:
			return
		}
	}
}

// Close ends the server and its client.
func (e *inProcess) Close() (err error) {
	e.once.Do(func() {
		close(e.stop)
		<-e.done
		err = e.client.Close()
		e.server.Close()
	})
	return err
}
