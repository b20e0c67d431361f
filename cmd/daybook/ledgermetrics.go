package main

import "daybook/internal/telemetry"

// observeLedger shows in the metrics what goes through the contract, and what only the
// ledger's own end knows.
func observeLedger(m *telemetry.Metrics, engines *engines) {
	m.Register(engines.watched)
	if e := engines.embedded; e != nil {
		m.Counter("daybook_ledger_events_total", "Events appended since the start.", func() float64 { return float64(e.Stats().Events) })
		m.Counter("daybook_ledger_appends_total", "Appends since the start.", func() float64 { return float64(e.Stats().Appends) })
		m.Counter("daybook_ledger_syncs_total", "Syncs since the start; many appends share one.", func() float64 { return float64(e.Stats().Syncs) })
		m.Counter("daybook_ledger_conflicts_total", "Appends refused since the start because somebody was first.", func() float64 { return float64(e.Stats().Conflicts) })
		m.Gauge("daybook_ledger_position", "The position of the last event.", nil, func() float64 { return float64(e.Stats().Head) })
		m.Gauge("daybook_ledger_disk_bytes", "What the ledger takes on disk.", nil, func() float64 { return float64(e.Stats().DiskBytes) })
	}
	if e := engines.remote; e != nil {
		m.Counter("daybook_ledger_connections_total", "Connections made to the ledger since the start; all but the first are made again.", func() float64 { return float64(e.Stats().Connections) })
		m.Counter("daybook_ledger_connection_failures_total", "Attempts to connect to the ledger that found no server.", func() float64 { return float64(e.Stats().Failures) })
		m.Counter("daybook_ledger_leader_moves_total", "Calls made again because another server of the ledger leads.", func() float64 { return float64(e.Stats().LeaderMoves) })
		m.Counter("daybook_ledger_subscription_drops_total", "Subscriptions that the ledger or the connection broke off.", func() float64 { return float64(e.Stats().Drops) })
		m.Counter("daybook_ledger_unknown_outcomes_total", "Appends whose outcome could not be told.", func() float64 { return float64(e.Stats().Unknown) })
	}
}
