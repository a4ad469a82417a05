/* base/mds.h - points in the plane for things of which only distances are known (multidimensional scaling). The only
 * home of LAPACKE and OpenBLAS.
 *
 * Distances are dense symmetric matrices d[n * n]; points are [n][2]. Every result is the same for any number of
 * threads.
 */
#ifndef NAB_BASE_MDS_H
#define NAB_BASE_MDS_H

#include "base/err.h"

/* Classical scaling (Torgerson 1952): the two leading eigenvectors of -1/2 J D^2 J, each times the root of its
 * eigenvalue. Exact for distances in a plane. The points have their mean at 0; of each axis, the largest coordinate
 * (the first of them) is positive. ERR_RUNTIME if there is no memory for it. */
int mds_classical(double (*y)[2], const double *d, int n, struct err *e);

/* Moves the points so that the distances between them come nearer to d (SMACOF, de Leeuw 1977), until the stress falls
 * by less than a 1e-6th of itself. It never rises. Returns the raw stress: the sum over pairs of (distance - d)^2.
 * steps: how many were taken; may be NULL. */
double mds_smacof(double (*x)[2], const double *d, int n, int *steps);

/* What a map is made by: classical scaling, SMACOF from there and from a few random starts that are always the same,
 * the best of these, turned so that its axes are principal ones with signs as above. classical (may be NULL): the
 * classical solution, for mds_place(). *stress: raw, may be NULL. */
int mds_map(double (*x)[2], double (*classical)[2], const double *d, int n, double *stress, struct err *e);

/* Raw stress as a share, Kruskal's stress 1: sqrt(raw / sum of d^2) in [0, 1]; 0 if all distances are 0. */
double mds_stress1(double raw, const double *d, int n);

/* Places new points without moving the old ones (Gower 1968): what it needs of n classical points with distances d. */
struct mds_base {
	double mean[2];       /* of the points */
	double inverse[2][2]; /* 1/2 (Y'Y)^-1; 0 along an axis without extent */
	int n;
	const double (*y)[2];  /* borrowed */
	const double *squares; /* borrowed: [n] mean over j of d_ij^2 */
};
/* squares[n] and y must outlive the base. */
void mds_base(struct mds_base *b, const double (*y)[2], const double *squares, int n);
void mds_squares(double *squares, const double *d, int n);
/* The point whose distances to the n points are to[n]: y = 1/2 (Y'Y)^-1 Y' (m - a) + mean. Exact in a plane. */
void mds_place(double out[2], const struct mds_base *b, const double *to);
/* Moves one point so that its distances to n fixed points come nearer to to[n] (SMACOF with one free point). */
void mds_settle(double point[2], const double (*x)[2], const double *to, int n);

/* Turns, mirrors and moves the points x[n] (as a whole) onto `like` as nearly as it goes (Procrustes); the same is done
 * to more[n_more]. */
void mds_align(double (*x)[2], const double (*like)[2], int n, double (*more)[2], int n_more);

#endif
