package reporting

import (
	"encoding/json"
	"testing"

	"daybook/domain"
	"daybook/domain/webhook"
)

// TestWebhookSnapshots: the audit tells what became of a webhook, and neither its secrets nor
// its whole address.
func TestWebhookSnapshots(t *testing.T) {
	id := domain.NewWebhookID([16]byte{1})
	s := webhookDecider.Fold(webhook.State{},
		webhook.Created{Stamp: domain.Stamp{At: 1}, ID: id, Host: "example.com", URL: "https://example.com/token", Secret: "whsec_x", Description: "the till"},
		webhook.Changed{Stamp: domain.Stamp{At: 2}, ID: id, Host: "example.org", URL: "https://example.org/token", Events: []string{"day."}, Personal: true},
		webhook.SecretRotated{Stamp: domain.Stamp{At: 3}, ID: id, Secret: "whsec_y", OldUntil: 5},
		webhook.Paused{Stamp: domain.Stamp{At: 4}, ID: id, Because: webhook.BecauseFailing},
	)
	got, err := json.Marshal([]any{webhookSnapshotOf(s, id), webhookSnapshotOf(s, "whk_other")})
	want := `[{"webhookId":"whk_04000000000000000000000000","host":"example.org","events":["day."],"personalData":true,"status":"paused",` +
		`"because":"failing","secrets":2,"oldSecretUntil":"1970-01-01T00:00:00.005Z","rounds":1},null]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}
