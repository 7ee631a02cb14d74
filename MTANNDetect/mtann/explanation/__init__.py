"""Why a candidate has its score: what each network gave, where in the image it comes from, and by what filters."""
