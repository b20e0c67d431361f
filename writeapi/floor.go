package writeapi

import (
	"context"
	"fmt"
	"net/http"

	"daybook/commands"
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
	Reason   string   `json:"reason,omitempty" maxLength:"200" doc:"for the restaurant's own people alone"`
	OpenDaysBody
}

type blockIDBody struct {
	BlockID string `json:"blockId"`
}

type combinationBody struct {
	TableIDs    []string `json:"tableIds" minItems:"2" maxItems:"8"`
	MinCapacity int      `json:"minCapacity,omitempty" minimum:"0" maximum:"500" doc:"1 by default"`
	Capacity    int      `json:"capacity" minimum:"1" maximum:"500" doc:"the largest party that the tables seat together"`
	OpenDaysBody
}

type combinationIDBody struct {
	CombinationID string `json:"combinationId"`
}

// floor adds the routes of what is made of tables: combinations and blocks.
func (w *writes) floor(api *httpapi.API) {
	combine := managing("add-combination", http.MethodPost, "/{id}/combinations", "Let tables be put together for one party", http.StatusCreated)
	httpapi.Handle(api, combine, func(ctx context.Context, in *struct {
		Planned
		Body combinationBody
	}) (*planned[combinationIDBody], error) {
		c, id, err := in.asked(ctx, &combine, in.Body)
		if err != nil {
			return nil, err
		}
		tables, err := tableIDs(in.Body.TableIDs)
		if err != nil {
			return nil, err
		}
		change := commands.AddCombination{Combination: restaurantday.Combination{
			Tables: tables, Min: domain.PartySize(max(in.Body.MinCapacity, 1)), Max: domain.PartySize(in.Body.Capacity),
		}}
		return plan(ctx, w, &in.Planned, c, id, &combine, change, &in.Body.OpenDaysBody,
			func(_ commands.Receipt[restaurant.State], made string) combinationIDBody {
				return combinationIDBody{made}
			})
	})

	part := managing("remove-combination", http.MethodDelete, "/{id}/combinations/{combinationId}", "No longer put tables together", http.StatusOK)
	httpapi.Handle(api, part, func(ctx context.Context, in *struct {
		Planned
		CombinationID string `path:"combinationId" doc:"the combination's id, cmb_…"`
		Body          *OpenDaysBody
	}) (*planned[httpapi.Restaurant], error) {
		c, id, combination, err := askedPart(ctx, &in.Planned, &part, in.CombinationID, in.Body.orNil(), domain.ParseCombinationID, "combination")
		if err != nil {
			return nil, err
		}
		return plan(ctx, w, &in.Planned, c, id, &part, commands.RemoveCombination{ID: combination}, in.Body, wholeRestaurant)
	})

	block := managing("add-block", http.MethodPost, "/{id}/blocks", "Keep tables from being booked for some hours", http.StatusCreated)
	httpapi.Handle(api, block, func(ctx context.Context, in *struct {
		Planned
		Body blockBody
	}) (*planned[blockIDBody], error) {
		c, id, err := in.asked(ctx, &block, in.Body)
		if err != nil {
			return nil, err
		}
		b, err := in.Body.block()
		if err != nil {
			return nil, err
		}
		return plan(ctx, w, &in.Planned, c, id, &block, commands.AddBlock{Block: b}, &in.Body.OpenDaysBody,
			func(_ commands.Receipt[restaurant.State], made string) blockIDBody { return blockIDBody{made} })
	})

	unblock := managing("remove-block", http.MethodDelete, "/{id}/blocks/{blockId}", "End a block", http.StatusOK)
	httpapi.Handle(api, unblock, func(ctx context.Context, in *struct {
		Planned
		BlockID string `path:"blockId" doc:"the block's id, blk_…"`
		Body    *OpenDaysBody
	}) (*planned[httpapi.Restaurant], error) {
		c, id, blockID, err := askedPart(ctx, &in.Planned, &unblock, in.BlockID, in.Body.orNil(), domain.ParseBlockID, "block")
		if err != nil {
			return nil, err
		}
		return plan(ctx, w, &in.Planned, c, id, &unblock, commands.RemoveBlock{ID: blockID}, in.Body, wholeRestaurant)
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
