package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
)

// cluster is nodes before one ledger, of which one leads. It behaves as EventStoreDB's
// clusters do towards a client: all tell by gossip who leads, and a node that does not
// lead refuses what asks for the leader, and names it.
type cluster struct {
	nodes []*node

	mu     sync.Mutex
	leader int
	dead   map[int]bool
	split  bool // each node takes the next one for the leader
}

type node struct {
	cluster *cluster
	number  int
	port    int
	server  *grpc.Server
	ledger  *grpc.ClientConn // to the server that they all stand for
	served  chan error
}

func newCluster(t testing.TB, store eventstore.Engine, size int) *cluster {
	t.Helper()
	url, _ := serve(t, store, "127.0.0.1:0", esdbserver.Options{})
	ledger, err := grpc.NewClient(hostOf(url),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	c := &cluster{dead: map[int]bool{}}
	for i := range size {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("listen: %v", err)
		}
		n := &node{cluster: c, number: i, port: lis.Addr().(*net.TCPAddr).Port, ledger: ledger, served: make(chan error, 1)}
		n.server = grpc.NewServer(grpc.ForceServerCodecV2(frames{}), grpc.UnknownServiceHandler(n.handle))
		c.nodes = append(c.nodes, n)
		go func() { n.served <- n.server.Serve(lis) }()
		t.Cleanup(func() {
			n.server.Stop()
			if err := <-n.served; err != nil {
				t.Errorf("serve: %v", err)
			}
		})
	}
	return c
}

func (n *node) address() string { return "127.0.0.1:" + strconv.Itoa(n.port) }

// lead makes another node the leader.
func (c *cluster) lead(number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader = number
}

// kill ends a node without a word.
func (c *cluster) kill(number int) {
	c.mu.Lock()
	c.dead[number] = true
	c.mu.Unlock()
	c.nodes[number].server.Stop()
}

func (c *cluster) disagree(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.split = on
}

// leads is the leader that node asked knows of.
func (c *cluster) leads(asked int) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.split {
		return c.nodes[(asked+1)%len(c.nodes)]
	}
	return c.nodes[c.leader]
}

func (c *cluster) gossip() *gossip.ClusterInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	info := &gossip.ClusterInfo{}
	for i, n := range c.nodes {
		state := gossip.MemberInfo_Follower
		if i == c.leader {
			state = gossip.MemberInfo_Leader
		}
		info.Members = append(info.Members, &gossip.MemberInfo{
			State: state, IsAlive: !c.dead[i],
			HttpEndPoint: &gossip.EndPoint{Address: "127.0.0.1", Port: uint32(n.port)},
		})
	}
	return info
}

// frame is a message as it came.
type frame struct{ data []byte }

// frames passes messages on without looking into them.
type frames struct{}

func (frames) Name() string { return "proto" }

func (frames) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.(*frame).data)}, nil
}

func (frames) Unmarshal(data mem.BufferSlice, v any) error {
	v.(*frame).data = data.Materialize()
	return nil
}

func (n *node) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	switch leader := n.cluster.leads(n.number); {
	case strings.HasSuffix(method, "Gossip/Read"):
		if err := stream.RecvMsg(&frame{}); err != nil {
			return err
		}
		data, err := proto.Marshal(n.cluster.gossip())
		if err != nil {
			return err
		}
		return stream.SendMsg(&frame{data})
	case leader != n && strings.Contains(method, "Streams/") && wantsLeader(stream.Context()):
		for stream.RecvMsg(&frame{}) == nil { // or the client would not see why
			continue
		}
		stream.SetTrailer(metadata.Pairs("exception", "not-leader",
			"leader-endpoint-host", "127.0.0.1", "leader-endpoint-port", strconv.Itoa(leader.port)))
		return status.Error(codes.NotFound, "Leader info available")
	default:
		return n.pass(method, stream)
	}
}

func wantsLeader(ctx context.Context) bool {
	md, _ := metadata.FromIncomingContext(ctx)
	return len(md.Get("requires-leader")) == 1 && md.Get("requires-leader")[0] == "true"
}

// pass hands a call on to the ledger's server.
func (n *node) pass(method string, down grpc.ServerStream) error {
	ctx, cancel := context.WithCancel(down.Context())
	defer cancel()
	up, err := n.ledger.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodecV2(frames{}))
	if err != nil {
		return err
	}
	go func() {
		for {
			f := &frame{}
			if err := down.RecvMsg(f); err != nil {
				if errors.Is(err, io.EOF) {
					_ = up.CloseSend()
				}
				return
			}
			if err := up.SendMsg(f); err != nil {
				return
			}
		}
	}()
	for {
		f := &frame{}
		if err := up.RecvMsg(f); err != nil {
			down.SetTrailer(up.Trailer())
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := down.SendMsg(f); err != nil {
			return err
		}
	}
}

// urls are the ways to name the cluster.
func (c *cluster) urls() map[string]string {
	var seeds []string
	for _, n := range c.nodes {
		seeds = append(seeds, n.address())
	}
	return map[string]string{
		"seeds":    "kurrentdb://" + strings.Join(seeds, ",") + "?tls=false&discoveryInterval=10&gossipTimeout=2",
		"discover": "esdb+discover://" + c.nodes[len(c.nodes)-1].address() + "?tls=false&discoveryInterval=10&gossipTimeout=2",
	}
}

// TestWritersThroughLeaderChanges moves the leader, then kills it, while writers append.
func TestWritersThroughLeaderChanges(t *testing.T) {
	for name := range (&cluster{nodes: []*node{{}}}).urls() {
		t.Run(name, func(t *testing.T) {
			store := openLedger(t)
			c := newCluster(t, store, 3)
			s := connect(t, c.urls()[name], esdb.Options{})
			w := startWriters(t, s, store, 4)
			for _, leader := range []int{1, 0, 2} {
				w.goOn(50)
				c.lead(leader)
			}
			w.goOn(50)
			if moves := s.Stats().LeaderMoves; moves == 0 {
				t.Error("no call was told that another node leads")
			}
			c.lead(0)
			w.goOn(50)
			// The others know first. Were one of them to name the dead node as its leader, the
			// client would dial that and leave the connection open for ever; see link.
			c.lead(2)
			c.kill(0)
			w.goOn(50)
			w.finish()
		})
	}
}

// TestLeaderElsewhere has every call meet a node that leads no longer, and a url that
// names a follower alone. None of them may fail, or be answered by the follower.
func TestLeaderElsewhere(t *testing.T) {
	store := openLedger(t)
	c := newCluster(t, store, 2)
	url := "esdb://" + c.nodes[1].address() + "?tls=false"
	ctx := context.Background()
	calls := map[string]func(s *esdb.Store) error{
		"append": func(s *esdb.Store) error {
			_, err := s.Append(ctx, "day-1", eventstore.Any(), event("append", 1))
			return err
		},
		"head": func(s *esdb.Store) error {
			_, err := s.Head(ctx)
			return err
		},
		"read": func(s *esdb.Store) error {
			for _, err := range s.ReadStream(ctx, "day-0", 0) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"subscribe": func(s *esdb.Store) error {
			sub, err := s.Subscribe(ctx, eventstore.Start, eventstore.Filter{})
			if err != nil {
				return err
			}
			defer func() { _ = sub.Close() }()
			batch, err := sub.Next(ctx)
			if err == nil && len(batch.Records) == 0 {
				err = fmt.Errorf("the first batch is %+v", batch)
			}
			return err
		},
	}
	if _, err := store.Append(ctx, "day-0", eventstore.NoStream(), event("day-0", 0)); err != nil {
		t.Fatal(err)
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			s := connect(t, url, esdb.Options{})
			if err := call(s); err != nil {
				t.Errorf("%s by way of a follower: %v", name, err)
			}
			if moves := s.Stats().LeaderMoves; moves != 1 {
				t.Errorf("moved %d times, want once", moves)
			}
		})
	}
}

// TestLeaderWithoutEnd has every node say that another one leads, until they agree.
func TestLeaderWithoutEnd(t *testing.T) {
	c := newCluster(t, openLedger(t), 2)
	s := connect(t, c.urls()["seeds"], esdb.Options{})
	c.disagree(true)
	_, err := s.Append(context.Background(), "day-1", eventstore.NoStream(), event("day-1", 0))
	if !errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknownOutcome) {
		t.Errorf("append without a leader: %v, want ErrUnavailable", err)
	}
	c.disagree(false)
	if _, err := s.Append(context.Background(), "day-1", eventstore.NoStream(), event("day-1", 0)); err != nil {
		t.Errorf("append when there is a leader again: %v", err)
	}
}
