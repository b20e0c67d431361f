package main

import (
	"fmt"
	"net/http"
)

// addImports records a batch of bookings of another system, and adds the requests about it.
func (town *town) addImports() {
	const batch = "january-2026"
	body := func(name string) string {
		return fmt.Sprintf(`{"batch":%q,"data":"Nr;Start;Pax;Tisch;Wie\nR1;%sT19:00:00+01:00;2;1;ok\n","mapping":{"source":%q,"format":"csv","encoding":"utf-8",`+
			`"separator":";","timeZone":"Europe/Berlin","columns":{"externalId":"Nr","startsAt":"Start","party":"Pax","tables":"Tisch","status":"Wie"},`+
			`"formats":{"startsAt":"YYYY-MM-DDTHH:mm:ssZ"},"statuses":{"ok":"confirmed"},"only":{"Pax":"2"},"tableSeparator":"+"}}`, name, town.h.inDays(20), name)
	}
	at := "/restaurants/" + town.open + "/imports"
	town.owner.send(http.MethodPost, at, body(batch)).want(town.owner.t, 201, "")
	of := map[string]string{"id": town.open, "batch": batch}
	for name, good := range map[string]goodRequest{
		"record-import": {token: town.owner.token, params: map[string]string{"id": town.open}, body: body("another"), anything: []string{"body.mapping.tableSeparator"}, largest: 6 << 20},
		"list-imports":  {token: town.owner.token, params: map[string]string{"id": town.open}},
		"read-import":   {token: town.owner.token, params: of},
		"undo-import":   {token: town.owner.token, params: of, body: `{"force":true}`},
	} {
		town.good[name] = good
	}
}
