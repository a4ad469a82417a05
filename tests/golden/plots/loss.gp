# Made by nab. Draw again with: gnuplot 'loss.gp'
# Other formats: set terminal svg | pdfcairo | pngcairo | cairolatex, and another ending for the output
set terminal pdfcairo size 16cm,8cm noenhanced font 'Helvetica,9' fontscale 0.75 linewidth 1.5
set output 'loss.pdf'
set encoding utf8
set datafile missing 'NaN'
set border 3 lc rgb '#667085'
set tics nomirror out scale 0.6
set xtics offset 0,0.3
set grid ytics lt 1 lw 0.7 lc rgb '#e4e7ec'
set lmargin at screen 0.1187
set rmargin at screen 0.6492
set bmargin at screen 0.1875
set tmargin at screen 0.9500
set key at screen 0.6617, screen 0.9500 left top vertical Left reverse samplen 2 spacing 1.2
set label 1 'epoch' at screen 0.3840, screen 0.0500 center
set label 2 'loss' at screen 0.0250, screen 0.5687 center rotate by 90
set key autotitle columnheader
set xrange [1:5]
set xtics 1
plot 'loss.dat' index 0 using 1:3:4 with filledcurves fs transparent solid 0.15 noborder lc rgb '#2f6db5' notitle, \
     'loss.dat' index 1 using 1:3:4 with filledcurves fs transparent solid 0.15 noborder lc rgb '#d1480f' notitle, \
     'loss.dat' index 0 using 1:5 with lines lw 1.5 dt (6,4) lc rgb '#2f6db5' notitle, \
     'loss.dat' index 0 using 1:2 with lines lw 2 lc rgb '#2f6db5' title columnheader(2), \
     'loss.dat' index 1 using 1:5 with lines lw 1.5 dt (6,4) lc rgb '#d1480f' notitle, \
     'loss.dat' index 1 using 1:2 with lines lw 2 lc rgb '#d1480f' title columnheader(2), \
     keyentry with lines lw 2 lc rgb '#667085' title 'validation', \
     keyentry with lines lw 1.5 dt (6,4) lc rgb '#667085' title 'training', \
     keyentry with filledcurves fs transparent solid 0.25 noborder lc rgb '#667085' title 'lowest to highest seed'
