package book

import (
	"context"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore/codec"
)

// webhooksKept is how many restaurants' webhooks are kept folded.
const webhooksKept = 256

// Webhooks reads a restaurant's webhooks, with addresses and secrets in clear: what of it is
// shown to whom is judged by the caller.
func (b *Book) Webhooks(ctx context.Context, restaurant domain.RestaurantID) (webhook.State, error) {
	state, _, err := b.webhooks.Latest(ctx, codec.WebhooksStream(restaurant))
	return state, err
}
