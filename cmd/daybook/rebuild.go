package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"daybook/eventstore"
	"daybook/projections"
)

type rebuildCommand struct {
	engineFlags
	View string `arg:"" help:"availability, reporting or discovery."`
}

func (c *rebuildCommand) Run(ctx context.Context, out io.Writer) (err error) {
	h, err := openHouse(ctx, houseConfig{engineFlags: c.engineFlags})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	var names []string
	for _, v := range h.views.all() {
		names = append(names, v.Name())
		if v.Name() != c.View {
			continue
		}
		view, ok := v.(projections.Rebuildable)
		if !ok {
			return fmt.Errorf("view %s cannot be rebuilt", c.View)
		}
		bar := progress(out, 100, c.View)
		defer bar.Close()
		shown := 0
		err := projections.Rebuild(ctx, h.engines.store, view, projections.Options{}, func(at, head eventstore.Position) {
			if head > 0 {
				percent := int(min(at, head) * 100 / head)
				_ = bar.Add(percent - shown) // a bar that cannot be drawn stops nothing
				shown = percent
			}
		})
		if err != nil {
			return err
		}
		at, err := view.Checkpoint(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "view %s was built anew up to position %d\n", c.View, at)
		return nil
	}
	return fmt.Errorf("there is no view %q; there are %s", c.View, strings.Join(names, ", "))
}
