package scoring_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/scoring"
)

func Example() {
	low, high := 0.0, 1.0
	spec := scoring.Spec{
		IDColumn: "PassengerId",
		Targets:  []scoring.Column{{Name: "Survived", Type: scoring.Int, Min: &low, Max: &high}},
		Metric:   "accuracy",
	}
	ctx := context.Background()
	holdout, err := scoring.LoadHoldout(ctx, spec, strings.NewReader("PassengerId,Survived\n1,0\n2,1\n3,1\n4,0\n"))
	if err != nil {
		panic(err)
	}
	scorer, err := scoring.NewScorer(spec, holdout)
	if err != nil {
		panic(err)
	}

	score, err := scorer.Score(ctx, strings.NewReader("PassengerId,Survived\n4,0\n3,0\n2,1\n1,0\n"))
	fmt.Println(score.Primary, score.MetricVersion, err)

	_, err = scorer.Score(ctx, strings.NewReader("PassengerId,Survived\n1,0\n2,yes\n3,2\n"))
	for _, f := range fault.As(err).Fields {
		fmt.Printf("%s: %s\n", f.Loc, f.Msg)
	}
	// Output:
	// 0.75 accuracy-v1 <nil>
	// row 3, column Survived: "yes" is not a number; expected a whole number from 0 to 1
	// row 4, column Survived: "2" is out of range; expected a whole number from 0 to 1
	// file: 1 id of this competition has no row; give every id of sample_submission.csv
}
