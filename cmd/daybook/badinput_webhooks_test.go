package main

import "net/http"

// addWebhooks adds good requests of the owner's webhooks. Their receiver is nowhere.
func (town *town) addWebhooks() {
	const body = `{"url":"https://hooks.invalid/in","description":"the till","events":["reservation.","waitlist.offered"],"personalData":true,"after":1}`
	create := func() map[string]string {
		hook := town.owner.send(http.MethodPost, "/restaurants/"+town.open+"/webhooks", body).want(town.public.t, http.StatusCreated, "").field("webhookId")
		return map[string]string{"id": town.open, "webhookId": hook}
	}
	hook, doomed, id := create(), create(), map[string]string{"id": town.open}
	for name, good := range map[string]goodRequest{
		"create-webhook":        {params: id, body: body},
		"change-webhook":        {params: hook, body: `{"url":"https://hooks.invalid/other","description":"the screen","events":["day."],"personalData":false}`},
		"rotate-webhook-secret": {params: hook, body: `{"overlapMinutes":60}`},
		"replay-webhook":        {params: hook, body: `{"after":2}`},
		"pause-webhook":         {params: hook},
		"resume-webhook":        {params: hook},
		"test-webhook":          {params: hook},
		"remove-webhook":        {params: doomed},
		"list-webhooks":         {params: id},
		"read-webhook":          {params: hook},
		"list-deliveries":       {params: hook, query: "limit=5&status=pending"},
	} {
		good.token = town.owner.token
		town.good[name] = good
	}
}
