// Package archtest keeps the rooms of Daybook apart: it is the architecture, written as a
// test. The table in rooms says what each room may import and why; the test reads the
// module with `go list` and names every import that the table does not allow, with the
// reason. It also looks at the source for what no import shows: a clock read in the
// domain, a package without a comment, a file grown too long.
//
// What belongs here: rules that hold for the whole module. What does not: a rule of one
// room, which that room's own tests keep, and style, which the linter keeps.
//
// To let a room import something new, change its row and say why in the commit.
package archtest

// A room is a part of the module with its own rule. Only what ships is held to it: test
// files may import what they need.
type room struct {
	// path is the folder, below the module. A * stands for one element, and makes each
	// folder that it matches a room of its own. A room takes in the folders below it that
	// no other row claims. The first row that matches counts, so special ones come first.
	path string
	// may lists the other rooms that this one may import: a path alone is that package
	// only, with /... it takes in all below.
	may []string
	// modules lists the third-party import paths it may use, each with all below.
	modules []string
	// oneLibrary lets the room use a single third-party library, whichever it is.
	oneLibrary bool
	// anything lifts all limits: for the wiring, and for tooling.
	anything bool
	// tooling marks what serves tests and measurements; nothing that ships imports it.
	tooling bool
	// pure bans input, output, clocks, chance, JSON and logs.
	pure bool
	// why is the reason given to whoever breaks the rule.
	why string
}

const (
	gin       = "github.com/gin-gonic/gin"
	huma      = "github.com/danielgtaylor/huma/v2"
	watermill = "github.com/ThreeDotsLabs/watermill"
	uuid      = "github.com/google/uuid"
	xsync     = "golang.org/x/sync"
	esdb      = "github.com/EventStore/EventStore-Client-Go/v4"
	grpc      = "google.golang.org/grpc"
	protobuf  = "google.golang.org/protobuf"
)

// rooms is the table. Read a row as: path may import may, with modules, because why.
var rooms = []room{
	// The domain: a decision is a function of a state and a command.
	{
		path: "domain/restaurant", pure: true,
		may: []string{"domain", "domain/restaurantday"},
		why: "the domain decides from what it is handed; restaurant makes the plan that a restaurant-day is opened with, and knows no other aggregate",
	},
	{
		path: "domain/*", pure: true,
		may: []string{"domain"},
		why: "an aggregate decides from its own stream alone, so it knows no other aggregate and nothing outside the domain",
	},
	{
		path: "domain", pure: true,
		why: "the shared values are at the bottom of everything; what they import, all import",
	},

	// Writing.
	{
		path:    "commands",
		may:     []string{"domain/...", "eventstore", "eventstore/codec"},
		modules: []string{uuid, xsync},
		why:     "a write is decided from its own stream: commands never read a view, and know neither HTTP nor which store is behind the contract",
	},
	{
		path:    "processes",
		may:     []string{"domain/...", "commands", "eventstore", "eventstore/feed", "eventstore/codec", "gateways"},
		modules: []string{watermill, uuid, xsync},
		why:     "a process turns events into commands; it writes only through commands, and reaches third parties only through the ports of gateways",
	},

	// The event store: one contract, several ends that do not know each other.
	{
		path: "eventstore/canon",
		may:  []string{"eventstore"},
		why:  "what is hashed must not depend on what an event means, or a new type would change what was proved",
	},
	{
		path:    "eventstore/codec",
		may:     []string{"domain/...", "eventstore"},
		modules: []string{uuid},
		why:     "the codec is where events and bytes meet, and depends on no store, bus or API",
	},
	{
		path:    "eventstore/embedded",
		may:     []string{"eventstore"},
		modules: []string{"github.com/cockroachdb/pebble/v2", "github.com/prometheus/client_model", xsync}, // pebble hands its latencies out in the latter's types
		why:     "a store knows the contract and its storage library; events are bytes to it",
	},
	{
		path:    "eventstore/esdb",
		may:     []string{"eventstore"},
		modules: []string{esdb, grpc, uuid},
		why:     "a store knows the contract and its client; events are bytes to it",
	},
	{
		path:    "eventstore/esdbserver/groups",
		may:     []string{"eventstore"},
		modules: []string{uuid},
		why:     "sharing messages between consumers is a matter of the contract, whatever protocol they come by",
	},
	{
		path:    "eventstore/esdbserver",
		may:     []string{"eventstore", "eventstore/esdbserver/groups"},
		modules: []string{esdb, grpc, protobuf, "google.golang.org/genproto", "golang.org/x/net/netutil", uuid, xsync},
		why:     "the protocol is served over the contract, so that it can stand before any store",
	},
	{
		path:    "eventstore/feed",
		may:     []string{"eventstore", "eventstore/codec"},
		modules: []string{watermill, uuid},
		why:     "the feed carries events from the contract to the bus and looks into none",
	},
	{
		path:    "eventstore/observe",
		may:     []string{"eventstore"},
		modules: []string{"github.com/prometheus/client_golang", "go.opentelemetry.io/otel"},
		why:     "a store is watched through the contract, with the same words for each; who collects is not known here",
	},
	{
		path: "eventstore/transfer",
		may:  []string{"eventstore"},
		why:  "a copy goes through the contract alone, so that it runs between any two stores",
	},
	{
		path:     "eventstore/storetest",
		anything: true, tooling: true,
		why: "the suite that every store passes is for tests",
	},
	{
		path: "eventstore",
		why:  "the contract is read by everyone, so it may depend on no one",
	},

	// Reading.
	{
		path:    "projections/availability",
		may:     []string{"domain/...", "eventstore", "eventstore/feed", "eventstore/codec", "projections"},
		modules: []string{"github.com/redis/go-redis/v9", "github.com/alicebob/miniredis/v2", xsync},
		why:     "a read model knows events, the runner and its one driver (Redis), never a command, an API or another read model",
	},
	{
		path: "projections/reports",
		may:  []string{"domain/...", "internal/sheet"},
		why:  "what a report counts is said once, for the tables, for folds of the past and for what might have been; so it knows none of them",
	},
	{
		path:    "projections/reporting",
		may:     []string{"domain/...", "eventstore", "eventstore/feed", "eventstore/codec", "projections", "projections/reports"},
		modules: []string{"github.com/jackc/pgx/v5", "modernc.org/sqlite", xsync},
		why:     "a read model knows events, the runner and its one driver (SQL), never a command, an API or another read model",
	},
	{
		path:    "projections/deliveries",
		may:     []string{"domain/...", "eventstore", "eventstore/feed"}, // feed for how a place in the ledger is kept
		modules: []string{"github.com/jackc/pgx/v5", "modernc.org/sqlite"},
		why:     "what is outstanding is kept by its one driver (SQL); it knows what a delivery is, and not how it is made",
	},
	{
		path:    "projections/discovery/*",
		may:     []string{"projections/discovery"},
		modules: []string{"github.com/blevesearch/bleve/v2", "github.com/blevesearch/bleve_index_api", "go.etcd.io/bbolt", "golang.org/x/text/unicode/norm"}, // bbolt names the indexes there are,
		why:     "the embedded index speaks Meilisearch's HTTP API and knows nothing of events",
	},
	{
		path:    "projections/discovery",
		may:     []string{"domain/...", "eventstore", "eventstore/feed", "eventstore/codec", "projections", "projections/discovery/..."},
		modules: []string{"github.com/meilisearch/meilisearch-go"},
		why:     "a read model knows events, the runner and its one driver (Meilisearch), never a command, an API or another read model",
	},
	{
		path:    "projections/book",
		may:     []string{"domain/...", "eventstore", "eventstore/codec", "projections"},
		modules: []string{xsync},
		why:     "the book reads streams as they are, and keeps nothing but folds in memory",
	},
	{
		path:    "projections/proof",
		may:     []string{"eventstore", "eventstore/canon", "eventstore/feed", "projections"},
		modules: []string{"golang.org/x/mod/sumdb", "github.com/cockroachdb/pebble/v2"},
		why:     "the log hashes the canonical form and knows no event; what decides, or who may see what, is none of its business",
	},
	{
		path: "projections/whatif",
		may:  []string{"domain/...", "eventstore", "eventstore/codec", "projections/reports"}, // reports for what its figures mean
		why:  "a what-if reads the ledger and decides by the domain alone: it has no view, no command handler and nothing that could append",
	},
	{
		path:    "projections/export",
		may:     []string{"domain/...", "eventstore", "eventstore/canon", "eventstore/codec", "projections/reporting"},
		modules: []string{"github.com/parquet-go/parquet-go"},
		why:     "files are written from what is redacted already, the form that is hashed and the reporting tables, with the one library for columns",
	},
	{
		path: "projections/ledger",
		may:  []string{"domain/...", "eventstore", "eventstore/canon", "eventstore/codec"},
		why:  "the ledger is handed out in the form that is hashed, with nobody's key at hand",
	},
	{
		path: "projections/fairness",
		may:  []string{"domain/...", "eventstore", "eventstore/codec"},
		why:  "a waitlist is checked from its events by the domain's own rules, and by nothing that is kept of them",
	},
	{
		path: "projections/*",
		may:  []string{"domain/...", "eventstore", "eventstore/feed", "eventstore/codec", "projections"},
		why:  "a read model knows events, the runner and its one driver; give a new one its row here with its driver",
	},
	{
		path:    "projections",
		may:     []string{"domain/...", "eventstore", "eventstore/feed", "eventstore/codec"},
		modules: []string{watermill, xsync},
		why:     "the runner drives any read model and knows none",
	},

	// The edges.
	{
		path:    "readapi",
		may:     []string{"projections/...", "domain/...", "eventstore", "internal/...", "docs"}, // docs for the pages it serves
		modules: []string{gin, huma, xsync},
		why:     "reading never writes: the read side asks views, and has no way to a command",
	},
	{
		path:    "writeapi",
		may:     []string{"commands", "domain/...", "eventstore", "internal/..."}, // eventstore for the position that a write answers with
		modules: []string{gin, huma, xsync},
		why:     "writing never reads a view: the write side hands commands on and answers with what they decided",
	},
	{
		path: "gateways/*", oneLibrary: true,
		may: []string{"gateways", "internal/..."},
		why: "a gateway fits one third party to a port, with that party's client alone",
	},
	{
		path: "gateways",
		why:  "ports are plain Go, so that a process can be tested without any third party",
	},
	{
		path: "docs",
		why:  "pages are text that the binary carries; what they say is held to the code by tests, not by imports",
	},
	{
		path: "web",
		why:  "the pages are a client of the API like any other",
	},

	// Tooling, small shared things, and the wiring.
	{path: "internal/archtest", anything: true, tooling: true, why: "it is a test"},
	{path: "internal/daytest", anything: true, tooling: true, why: "days are drawn for tests only"},
	{path: "internal/enginetest", anything: true, tooling: true, why: "engines are started for tests and measurements only"},
	{path: "internal/bench", anything: true, tooling: true, why: "a measurement stands outside what it measures"},
	{path: "internal/e2e", anything: true, tooling: true, why: "it drives the whole house from outside"},
	{
		path: "internal/problem",
		may:  []string{"domain"},
		why:  "one table turns the domain's refusals into problem documents, for both edges; it knows no route and no view",
	},
	{
		path:    "internal/httpapi",
		may:     []string{"domain/...", "eventstore", "internal/..."},
		modules: []string{gin, huma},
		why:     "both edges share what a request and an answer look like; what a route does is theirs alone",
	},
	{
		path: "internal/factfile",
		may:  []string{"domain/..."},
		why:  "a file of another system becomes bookings in the domain's words; where it comes from and what becomes of it is for others",
	},
	{
		path:    "internal/keystore",
		may:     []string{"eventstore/codec"},
		modules: []string{"github.com/jackc/pgx/v5", "modernc.org/sqlite"},
		why:     "the key store is the two ends of codec's port for keys, over one SQL text, and knows nothing of what they encrypt",
	},
	{
		path: "internal/*", oneLibrary: true,
		may: []string{"internal/..."},
		why: "what all edges share stays small: the standard library and the one library it is about, and nothing of the rooms that use it",
	},
	{
		path: "cmd/daybook", anything: true,
		why: "everything is wired together in one place, and it is this one",
	},
}

// impure lists the standard packages, each with all below, that a pure room does without.
var impure = []string{
	"crypto/rand", "database", "embed", "encoding/gob", "encoding/json", "encoding/xml",
	"io/fs", "io/ioutil", "log", "math/rand", "net", "os", "path/filepath", "plugin",
	"runtime", "syscall", "testing", "unsafe",
}

// impureTime lists what of package time reads a clock, waits, or depends on the machine.
// A duration, an instant and arithmetic on them are welcome.
var impureTime = map[string]bool{
	"After": true, "AfterFunc": true, "LoadLocation": true, "Local": true, "NewTicker": true,
	"NewTimer": true, "Now": true, "Since": true, "Sleep": true, "Tick": true, "Until": true,
}

// families groups import paths of different modules that are one library in use.
var families = map[string]string{
	gin:  "gin and huma",
	huma: "gin and huma",
}

// vague are package names that say nothing of what is inside.
var vague = map[string]bool{
	"base": true, "common": true, "helper": true, "helpers": true, "lib": true, "misc": true,
	"shared": true, "util": true, "utils": true,
}

// maxLines is the longest a file that a person wrote may get.
const maxLines = 450
