package groups

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"daybook/eventstore"
)

const (
	// configStream holds all groups' configurations: its newest event has them all, so that
	// they change together or not at all.
	configStream = "$persistentSubscriptionConfig"
	configType   = "$PersistentConfig"
	// configVersion is EventStoreDB's number of the form.
	configVersion = "2"
)

// document is that event's data: the names are EventStoreDB's, but for begin and filter.
type document struct {
	Version   string    `json:"version"`
	Updated   time.Time `json:"updated"`
	UpdatedBy string    `json:"updatedBy"`
	Entries   []entry   `json:"entries"`
}

type entry struct {
	Stream             string       `json:"stream"`
	Group              string       `json:"group"`
	Filter             *filterEntry `json:"filter,omitempty"`
	ResolveLinkTos     bool         `json:"resolveLinkTos"`
	ExtraStatistics    bool         `json:"extraStatistics"`
	MessageTimeout     int64        `json:"messageTimeout"` // milliseconds
	StartPosition      string       `json:"startPosition"`
	LiveBufferSize     int          `json:"liveBufferSize"`
	HistoryBufferSize  int          `json:"historyBufferSize"`
	MaxRetryCount      int          `json:"maxRetryCount"`
	ReadBatchSize      int          `json:"readBatchSize"`
	CheckPointAfter    int64        `json:"checkPointAfter"` // milliseconds
	MinCheckPointCount int          `json:"minCheckPointCount"`
	MaxCheckPointCount int          `json:"maxCheckPointCount"`
	MaxSubscriberCount int          `json:"maxSubscriberCount"`
	Strategy           string       `json:"namedConsumerStrategy"`
	// Begin is the cursor that StartPosition stood for when the group was made: "the end" is
	// another place after each restart.
	Begin uint64 `json:"begin"`
}

type filterEntry struct {
	Types    bool     `json:"types,omitempty"`
	Prefixes []string `json:"prefixes,omitempty"`
	Regex    string   `json:"regex,omitempty"`
}

// startText is how EventStoreDB writes where a group starts.
func startText(f From, all bool) string {
	switch {
	case all && f.End:
		return "C:-1/P:-1"
	case all:
		return positionText(f.At)
	case f.End:
		return "-1"
	default:
		return strconv.FormatUint(f.At, 10)
	}
}

func parseStart(text string, all bool) (From, error) {
	if text == startText(From{End: true}, all) {
		return From{End: true}, nil
	}
	at, err := parseCheckpoint([]byte(text), all)
	if err != nil {
		return From{}, err
	}
	return From{At: uint64(at) - 1}, nil
}

func (g *group) entry() entry {
	c := g.config
	e := entry{
		Stream: string(c.Stream), Group: c.Group,
		ResolveLinkTos: c.ResolveLinks, ExtraStatistics: c.ExtraStatistics,
		MessageTimeout: c.MessageTimeout.Milliseconds(), StartPosition: startText(c.From, c.Stream == All),
		LiveBufferSize: c.LiveBufferSize, HistoryBufferSize: c.HistoryBufferSize,
		MaxRetryCount: c.MaxRetryCount, ReadBatchSize: c.ReadBatchSize,
		CheckPointAfter:    c.CheckpointAfter.Milliseconds(),
		MinCheckPointCount: c.MinCheckpointCount, MaxCheckPointCount: c.MaxCheckpointCount,
		MaxSubscriberCount: c.MaxConsumers, Strategy: string(c.Strategy),
		Begin: uint64(g.begin),
	}
	if f := c.Filter; f != nil {
		e.Filter = &filterEntry{f.Types, f.Prefixes, f.Regex}
	}
	return e
}

func (e entry) config() (Config, error) {
	c := Config{
		Key: Key{eventstore.StreamName(e.Stream), e.Group},
		Settings: Settings{
			ResolveLinks: e.ResolveLinkTos, ExtraStatistics: e.ExtraStatistics,
			MessageTimeout: time.Duration(e.MessageTimeout) * time.Millisecond,
			MaxRetryCount:  e.MaxRetryCount, HistoryBufferSize: e.HistoryBufferSize,
			LiveBufferSize: e.LiveBufferSize, ReadBatchSize: e.ReadBatchSize,
			CheckpointAfter:    time.Duration(e.CheckPointAfter) * time.Millisecond,
			MinCheckpointCount: e.MinCheckPointCount, MaxCheckpointCount: e.MaxCheckPointCount,
			MaxConsumers: e.MaxSubscriberCount, Strategy: Strategy(e.Strategy),
		},
	}
	if f := e.Filter; f != nil {
		c.Filter = &Filter{f.Types, f.Prefixes, f.Regex}
	}
	var err error
	if c.From, err = parseStart(e.StartPosition, c.Stream == All); err != nil {
		return Config{}, err
	}
	return c, c.check()
}

// load reads the groups that the ledger knows. The caller holds changing.
func (gs *Groups) load(ctx context.Context) error {
	r, found, err := gs.last(ctx, configStream)
	if err != nil {
		return err
	}
	groups := map[string]*group{}
	if found {
		var d document
		if err := json.Unmarshal(r.Data, &d); err != nil {
			return fmt.Errorf("%w: revision %d of %s: %w", ErrDamaged, r.Revision, configStream, err)
		}
		for _, e := range d.Entries {
			c, err := e.config()
			if err != nil {
				return fmt.Errorf("%w: revision %d of %s: group %q of stream %q: %w", ErrDamaged, r.Revision, configStream, e.Group, e.Stream, err)
			}
			g, err := gs.newGroup(c, cursor(e.Begin))
			if err != nil {
				return err
			}
			groups[c.id()] = g
		}
	}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.groups, gs.loaded = groups, true
	return nil
}

// save writes the groups of a changed map. The caller holds changing.
func (gs *Groups) save(ctx context.Context, groups map[string]*group, by string) error {
	d := document{Version: configVersion, Updated: gs.now().UTC(), UpdatedBy: by, Entries: []entry{}}
	for _, g := range sorted(groups) {
		d.Entries = append(d.Entries, g.entry())
	}
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if len(data) > eventstore.MaxEventSize {
		return fmt.Errorf("%w: their settings have %d bytes, at most %d", ErrTooManyGroups, len(data), eventstore.MaxEventSize)
	}
	err = gs.amend(ctx, configStream, func(m metadata) bool {
		if _, set := m["$maxCount"]; set {
			return false
		}
		m["$maxCount"] = json.RawMessage("2")
		return true
	})
	if err != nil {
		return err
	}
	_, err = gs.engine.Write(ctx, configStream, eventstore.Any(), eventstore.Event{ID: newID(), Type: configType, Data: data})
	return err
}
