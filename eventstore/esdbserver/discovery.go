package esdbserver

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

// protocolVersion is the server version whose protocol this is. Clients switch on its
// parts, which have to be whole numbers.
const protocolVersion = "24.10.0"

// features names what the methods can do beside what they could from the beginning, in
// the words that clients look for.
var features = map[string][]string{
	"event_store.client.streams.streams/batchappend": {"deadline_duration"},
	"event_store.client.streams.streams/read":        {"position", "events"},

	"event_store.client.persistent_subscriptions.persistentsubscriptions/create":       {"stream", "all"},
	"event_store.client.persistent_subscriptions.persistentsubscriptions/update":       {"stream", "all"},
	"event_store.client.persistent_subscriptions.persistentsubscriptions/delete":       {"stream", "all"},
	"event_store.client.persistent_subscriptions.persistentsubscriptions/read":         {"stream", "all"},
	"event_store.client.persistent_subscriptions.persistentsubscriptions/getinfo":      {"stream", "all"},
	"event_store.client.persistent_subscriptions.persistentsubscriptions/list":         {"stream", "all"},
	"event_store.client.persistent_subscriptions.persistentsubscriptions/replayparked": {"stream", "all"},
}

// featuresService tells a client what it may call. Official clients ask once a
// connection and take a method that is not listed as absent.
type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
	server *Server
}

// GetSupportedMethods lists what is registered, in the lower case that clients compare with.
func (f *featuresService) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	out := &serverfeatures.SupportedMethods{EventStoreServerVersion: protocolVersion}
	services := f.server.grpc.GetServiceInfo()
	for _, service := range slices.Sorted(maps.Keys(services)) {
		for _, method := range services[service].Methods {
			service, method := strings.ToLower(service), strings.ToLower(method.Name)
			out.Methods = append(out.Methods, &serverfeatures.SupportedMethod{
				ServiceName: service, MethodName: method, Features: features[service+"/"+method],
			})
		}
	}
	return out, nil
}

// gossipService describes a cluster of one: this server, alive, its leader.
type gossipService struct {
	gossip.UnimplementedGossipServer
	server *Server
	// instance tells one run of a server from the next. Some clients refuse what is no
	// UUID by the letter.
	instance eventstore.EventID
}

func (g *gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	address, err := g.server.dialable(ctx)
	if err != nil {
		return nil, err
	}
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId:   structuredID(g.instance),
		TimeStamp:    ticks(time.Now()),
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: address,
	}}}, nil
}

// dialable is where the asking client reaches this server. The listener's own address
// will not do: it may be "every interface", which nobody can dial.
func (s *Server) dialable(ctx context.Context) (*gossip.EndPoint, error) {
	hostPort := s.options.Advertise
	if hostPort == "" {
		p, ok := peer.FromContext(ctx)
		if !ok || p.LocalAddr == nil {
			return nil, status.Error(codes.Unavailable, "the server does not know its address")
		}
		hostPort = p.LocalAddr.String()
	}
	host, portText, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, status.Error(codes.Unavailable, "the server has no address to dial")
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, status.Error(codes.Unavailable, "the server has no port to dial")
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		// Clients join address and port with a colon and nothing else.
		host = "[" + host + "]"
	}
	return &gossip.EndPoint{Address: host, Port: uint32(port)}, nil
}
