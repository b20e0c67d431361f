package writeapi

import (
	"context"
	"fmt"
	"net/http"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
)

type blockBody struct {
	Date     string   `json:"date" maxLength:"10" doc:"service date, YYYY-MM-DD"`
	From     string   `json:"from" maxLength:"5" doc:"local time HH:MM; one before the day turns is past midnight"`
	To       string   `json:"to" maxLength:"5" doc:"local time HH:MM; one at from or earlier is past midnight"`
	TableIDs []string `json:"tableIds,omitempty" minItems:"1" maxItems:"500" doc:"the whole floor by default"`
	Reason   string   `json:"reason,omitempty" maxLength:"200" doc:"for the restaurant's own people; it is kept for ever, so name no guest"`
}

type blockIDBody struct {
	BlockID string `json:"blockId"`
}

type combinationBody struct {
	TableIDs    []string `json:"tableIds" minItems:"2" maxItems:"8"`
	MinCapacity int      `json:"minCapacity,omitempty" minimum:"0" maximum:"500" doc:"1 by default"`
	Capacity    int      `json:"capacity" minimum:"1" maximum:"500" doc:"the largest party that the tables seat together"`
}

type combinationIDBody struct {
	CombinationID string `json:"combinationId"`
}

// floor adds the routes of what is made of tables: combinations and blocks.
func (w *writes) floor(api *httpapi.API) {
	combine := managing("add-combination", http.MethodPost, "/{id}/combinations", "Let tables be put together for one party", http.StatusCreated)
	httpapi.Handle(api, combine, func(ctx context.Context, in *struct {
		About
		Body combinationBody
	}) (*answer[combinationIDBody], error) {
		c, id, err := in.address(ctx, &combine, in.Body)
		if err != nil {
			return nil, err
		}
		tables, err := tableIDs(in.Body.TableIDs)
		if err != nil {
			return nil, err
		}
		r, combination, err := w.app.AddCombination(ctx, c, id, restaurantday.Combination{
			Tables: tables, Min: domain.PartySize(max(in.Body.MinCapacity, 1)), Max: domain.PartySize(in.Body.Capacity),
		})
		if err != nil {
			return nil, refused(err)
		}
		return &answer[combinationIDBody]{wrote(r.Position, r.Replayed), combinationIDBody{string(combination)}}, nil
	})

	part := managing("remove-combination", http.MethodDelete, "/{id}/combinations/{combinationId}", "No longer put tables together", http.StatusOK)
	httpapi.Handle(api, part, func(ctx context.Context, in *struct {
		About
		CombinationID string `path:"combinationId" doc:"the combination's id, cmb_…"`
	}) (*answer[httpapi.Restaurant], error) {
		c, id, combination, err := addressPart(ctx, &in.About, &part, in.CombinationID, nil, domain.ParseCombinationID, "combination")
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.RemoveCombination(ctx, c, id, combination))
	})

	block := managing("add-block", http.MethodPost, "/{id}/blocks", "Keep tables from being booked for some hours", http.StatusCreated)
	httpapi.Handle(api, block, func(ctx context.Context, in *struct {
		About
		Body blockBody
	}) (*answer[blockIDBody], error) {
		c, id, err := in.address(ctx, &block, in.Body)
		if err != nil {
			return nil, err
		}
		b, err := in.Body.block()
		if err != nil {
			return nil, err
		}
		r, blockID, err := w.app.AddBlock(ctx, c, id, b)
		if err != nil {
			return nil, refused(err)
		}
		return &answer[blockIDBody]{wrote(r.Position, r.Replayed), blockIDBody{string(blockID)}}, nil
	})

	unblock := managing("remove-block", http.MethodDelete, "/{id}/blocks/{blockId}", "End a block", http.StatusOK)
	httpapi.Handle(api, unblock, func(ctx context.Context, in *struct {
		About
		BlockID string `path:"blockId" doc:"the block's id, blk_…"`
	}) (*answer[httpapi.Restaurant], error) {
		c, id, blockID, err := addressPart(ctx, &in.About, &unblock, in.BlockID, nil, domain.ParseBlockID, "block")
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.RemoveBlock(ctx, c, id, blockID))
	})
}

func (b blockBody) block() (k restaurant.Block, err error) {
	k.Reason = b.Reason
	if k.Date, err = domain.ParseServiceDate(b.Date); err != nil {
		return k, field("body.date", err)
	}
	if k.From, err = domain.ParseClock(b.From); err != nil {
		return k, field("body.from", err)
	}
	if k.To, err = domain.ParseClock(b.To); err != nil {
		return k, field("body.to", err)
	}
	k.Tables, err = tableIDs(b.TableIDs)
	return k, err
}

func tableIDs(texts []string) ([]domain.TableID, error) {
	var ids []domain.TableID
	for i, text := range texts {
		id, err := domain.ParseTableID(text)
		if err != nil {
			return nil, field(fmt.Sprintf("body.tableIds[%d]", i), err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
